//go:build unix || windows

package stream

import (
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// What the tests of accept(2) need of the system.
const (
	NoNetwork    = noNetwork
	SOAcceptConn = soAcceptConn
)

// HoldsMemory reports whether the connection has a buffer.
func HoldsMemory(c *Conn) bool {
	e := c.e.Load()
	e.lock()
	defer e.unlock()
	return e.in.m != nil || e.out.m != nil
}

// ReaderWaits reports whether somebody waits for input that has not come yet.
func ReaderWaits(c *Conn) bool {
	e := c.e.Load()
	if e == nil {
		return false
	}
	e.lock()
	defer e.unlock()
	return !e.reader.Empty() && e.onItsWay() == 0
}

// WriterWaits reports whether somebody waits for room.
func WriterWaits(c *Conn) bool {
	e := c.e.Load()
	if e == nil {
		return false
	}
	e.lock()
	defer e.unlock()
	return !e.writer.Empty()
}

// Queued returns how many wait for the turn to read and to write.
func Queued(c *Conn) (in, out int) {
	e := c.e.Load()
	if e == nil {
		return 0, 0
	}
	e.lock()
	defer e.unlock()
	if e.more == nil {
		return 0, 0
	}
	return e.more.queue[inward].Len(), e.more.queue[outward].Len()
}

// FlushWaits reports whether somebody waits in Flush or CloseWrite.
func FlushWaits(c *Conn) bool {
	e := c.e.Load()
	if e == nil {
		return false
	}
	e.lock()
	defer e.unlock()
	return e.more != nil && !e.more.flushed.Empty()
}

// EndWaits reports whether somebody waits in WaitClosed.
func EndWaits(c *Conn) bool {
	e := c.e.Load()
	if e == nil {
		return false
	}
	e.lock()
	defer e.unlock()
	return e.more != nil && !e.more.closed.Empty()
}

// becomes tells a connection what its transport has become ready for.
func becomes(e *endpoint, ev loop.Events) {
	if t, ok := e.transport.(loop.ReadyHandler); ok {
		t.Ready(ev)
		return
	}
	e.lock()
	e.ready(ev&loop.Readable != 0, ev&loop.Writable != 0)
}

// BecomesWritable tells the connection, on its loop, that it may write.
func BecomesWritable(c *Conn) {
	if e := c.e.Load(); e != nil {
		becomes(e, loop.Writable)
	}
}

// AcceptWaits returns how many wait for a connection.
func AcceptWaits(l *Listener) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line.Len()
}

// LoopOf returns the listener's loop.
func LoopOf(l *Listener) *reactor.Loop { return l.loop }

// TryAcceptFor is TryAccept of a connection for another loop.
func TryAcceptFor(l *Listener, loop *reactor.Loop) (*Conn, error) {
	a, err := l.tryArrive()
	if err != nil {
		return nil, err
	}
	return a.on(loop)
}

// BecomesAcceptable makes the listener believe that somebody waits to be accepted. It tells nobody.
func BecomesAcceptable(l *Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
}

// Pauses reports whether the listener pauses.
func Pauses(l *Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.backoff.paused
}

// FD returns the connection's descriptor, -1 if it has none.
func FD(c *Conn) int {
	switch t := c.e.Load().transport.(type) {
	case *tcpEndpoint:
		return t.FD()
	case *unixEndpoint:
		return t.FD()
	}
	return -1
}

func (e *endpoint) onItsWay() int {
	switch t := e.transport.(type) {
	case *tcpEndpoint:
		return t.socket.onItsWay()
	case *unixEndpoint:
		return t.socket.onItsWay()
	case *pipeEnd:
		t.in.mu.Lock()
		defer t.in.mu.Unlock()
		return t.in.data.len()
	}
	return 0
}

func (s *socket) onItsWay() int {
	n, _ := waiting(s.FD())
	return n
}

// FreeBytes returns how much memory a loop keeps for buffers. It is called on the loop.
func FreeBytes(l *reactor.Loop) (n int) {
	for _, ms := range streamsOf(l).lender.free {
		for _, m := range ms {
			n += cap(m.b)
		}
	}
	return n
}

// BecomesReadable tells the connection, on its loop, that it may read.
func BecomesReadable(c *Conn) {
	if e := c.e.Load(); e != nil {
		becomes(e, loop.Readable)
	}
}

// Waiting returns how many bytes the transport holds.
func Waiting(c *Conn) int {
	e := c.e.Load()
	e.lock()
	defer e.unlock()
	return e.onItsWay()
}
