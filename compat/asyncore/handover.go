package asyncore

import (
	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// Classic is for the packages of this module.
func (d *Dispatcher) Classic() classic.Dispatcher { return (*inner)(d) }

// inner is a Dispatcher as the packages above see it.
type inner Dispatcher

func (i *inner) dispatcher() *Dispatcher { return (*Dispatcher)(i) }

func (i *inner) Serving() bool { return i.connected && i.member }

// Refuses is called by Push. After CloseWrite it is an error, too.
func (i *inner) Refuses() error {
	if i.lost == nil && (i.finishing || i.finished) {
		return errEnded
	}
	return i.lost
}

// Said is called by Push while that only queues.
func (i *inner) Said() { i.ending.said = i.ending.said || i.ending.running }

func (i *inner) Sent() bool                  { return i.conn.TryFlush() != stream.ErrWouldBlock }
func (i *inner) Lost() error                 { return i.lost }
func (i *inner) HandleClose(why error) error { return i.dispatcher().handleClose(why) }
func (i *inner) HandleError(err error) error {
	if err = i.dispatcher().handleError(err); err != nil {
		return &letOut{err}
	}
	return nil
}

// letOut is an error that HandleError has returned already. When it comes out of a method of the
// handler, HandleError is not asked again.
type letOut struct{ error }

func (l *letOut) Unwrap() error              { return l.error }
func (i *inner) CloseHandler() error         { return i.dispatcher().shut() }
func (i *inner) Attach(c *stream.Conn) error { return i.dispatcher().attach(c) }
func (i *inner) Guest() (leave func())       { return i.in.guest() }
func (i *inner) Wake()                       { i.dispatcher().wake() }

func (d *Dispatcher) wake() {
	if d.in != nil {
		d.in.wake(d)
	}
}

func (i *inner) Loop() (*reactor.Loop, error) {
	switch {
	case i.in == nil:
		return nil, ErrNotInitialised
	case i.in.loop == nil:
		return nil, ErrNoConnection
	}
	return i.in.loop, nil
}

func (i *inner) Ended() *future.Future[classic.End] {
	if i.end == nil {
		_, i.end = future.New[classic.End]()
	}
	f := i.end.Future()
	if !i.dispatcher().alive() {
		i.dispatcher().tell(classic.End{})
	}
	return f
}

// tell tells whoever waits for the handler's end.
func (d *Dispatcher) tell(e classic.End) {
	if p := d.end; p != nil {
		d.end = nil
		p.Resolve(e)
	}
}

func (i *inner) Take() (*classic.HandOver, error) {
	d := i.dispatcher()
	if d.in == nil {
		return nil, ErrNotInitialised
	}
	if d.conn == nil {
		return nil, ErrNoConnection
	}
	conn, err := d.conn.Detach()
	if err != nil {
		return nil, err
	}
	if err := conn.Unread(d.leftInput()); err != nil {
		return nil, err
	}
	h := &classic.HandOver{Conn: conn, Output: d.leftOutput()}
	bump(&d.in.handOvers)
	d.conn, d.lost = nil, stream.ErrDetached
	d.letGo(stream.ErrDetached)
	return h, nil
}

func (i *inner) Deliver(h *classic.HandOver) bool {
	waited := i.end != nil
	i.dispatcher().tell(classic.End{HandedOver: h})
	return waited
}

// leftInput is the input for a hand-over: first what the handler keeps, and then what its base
// class keeps, which came later.
func (d *Dispatcher) leftInput() (left []byte) {
	if h, ok := d.handler.(Unfinished); ok {
		left = h.Unfinished()
	}
	if d.class.Input != nil {
		left = d.class.Input(left)
	}
	return left
}

// leftOutput is the output for a hand-over: first what the base class has queued, and then what the
// handler has not sent yet.
func (d *Dispatcher) leftOutput() classic.Drain {
	var queued classic.Drain
	if d.class.Output != nil {
		queued = d.class.Output()
	}
	var rest []byte
	if h, ok := d.handler.(Unsent); ok {
		rest = h.Unsent()
	}
	return func(write func([]byte) error) (finish bool, err error) {
		if queued != nil {
			if finish, err = queued(write); err != nil || finish {
				return finish, err // nothing is sent after the end
			}
		}
		if len(rest) > 0 {
			err = write(rest)
		}
		return false, err
	}
}
