package stream

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// Accept waits for a connection. A cancelled Accept takes none. A connection that has failed before
// it was accepted is passed over. When the process or the machine is out of descriptors or memory,
// or accepting fails for another reason that may pass, Accept goes on waiting: the listener pauses
// until one of its connections is closed, and tries again each 100 ms besides. If descriptors, or
// the room in the poller, have been lacking for a second, those who wait to be accepted are turned
// away. The first pause is logged; both are counted, see StatsOf. The errors are ErrClosed, the
// context's, and that of a socket that does not listen any more, which each later call meets too.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	for {
		a, err := l.arrive(ctx)
		if err != nil {
			return nil, err
		}
		if c, err := a.on(l.loop); err != ErrWouldBlock {
			return c, err
		}
	}
}

// TryAccept is Accept that never waits: if nobody is there, or the listener pauses, it returns
// ErrWouldBlock.
func (l *Listener) TryAccept() (*Conn, error) {
	a, err := l.tryArrive()
	if err != nil {
		return nil, err
	}
	return a.on(l.loop)
}

// arrival is somebody who was accepted, and does not belong to a loop yet.
type arrival struct {
	listener *Listener
	fd       int
	peer     addr
}

// on makes a connection of the loop that is given, and uses the arrival up. If that fails the
// descriptor is closed. The error is ErrWouldBlock when it could not be registered, and then the
// listener pauses; or it wraps reactor.ErrClosed.
func (a arrival) on(loop *reactor.Loop) (*Conn, error) {
	l := a.listener
	c, err := adopt(loop, a.fd, a.peer, true)
	switch {
	case errors.Is(err, reactor.ErrClosed):
		return nil, fmt.Errorf("stream: accept %s: %w", l.Addr(), err)
	case err != nil:
		return nil, l.pause(err, true)
	}
	l.enough()
	s := streamsOf(loop)
	s.count(&s.stats.Accepted)
	if loop != l.loop {
		l.sendsTo(s)
	}
	return c, nil
}

// arrive waits for the next arrival.
func (l *Listener) arrive(ctx context.Context) (arrival, error) {
	if ctx.Err() != nil {
		return arrival{}, fmt.Errorf("stream: accept %s: %w", l.Addr(), coro.Cause(ctx))
	}
	l.beFair()
	for {
		a, err := l.tryArrive()
		if err != ErrWouldBlock {
			return a, err
		}
		if err := l.wait(ctx); err != nil {
			return arrival{}, fmt.Errorf("stream: accept %s: %w", l.Addr(), err)
		}
	}
}

// tryArrive returns the next arrival, or ErrWouldBlock.
func (l *Listener) tryArrive() (arrival, error) {
	a, passes, err := l.acceptOne()
	switch {
	case passes:
		return arrival{}, l.pause(err, isOneOf(err, syscall.EMFILE, syscall.ENFILE))
	case err != nil:
		return arrival{}, err
	}
	if !inherits && a.peer.IP.IsValid() {
		l.options.tune(l.kernel, a.fd) // an error is the connection's, and does not hinder it
	}
	return a, nil
}

// beFair lets others have their turn when connections keep coming without a wait.
func (l *Listener) beFair() {
	l.mu.Lock()
	yield := l.accepts >= share
	if yield {
		l.accepts = 0
	}
	l.mu.Unlock()
	if t := coro.Current(); yield && t != nil {
		t.Yield()
	}
}

// wait waits until there may be somebody, or the listener is closed.
func (l *Listener) wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	l.mu.Lock()
	if l.ready && !l.backoff.paused || l.closed {
		l.mu.Unlock()
		return nil
	}
	l.accepts = 0
	return l.line.Wait(ctx, &l.mu, "stream: Accept", l)
}

// goneAtMost is how many arrivals in a row may have gone again before the listener pauses. It is
// what a backlog holds. If there are more, accept(2) fails for another reason than it says.
const goneAtMost = defaultBacklog

// acceptOne returns the next arrival, or why there is none. passes is set if the error will pass,
// and the listener has to pause until then.
func (l *Listener) acceptOne() (a arrival, passes bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range share {
		if l.closed {
			return arrival{}, false, fmt.Errorf("stream: accept %s: %w", l.Addr(), ErrClosed)
		}
		if !l.ready || l.backoff.paused {
			return arrival{}, false, ErrWouldBlock
		}
		fd, peer, errno := l.kernel.Accept(l.fd)
		switch {
		case errno == 0:
			l.accepts++
			l.gone = 0
			return arrival{l, fd, peer}, false, nil
		case errno == syscall.EAGAIN:
			l.ready, l.gone = false, 0
			l.source.Blocked(loop.Readable)
		case cameAndWent(errno) && l.gone < goneAtMost:
			l.gone++
		default:
			l.gone = 0
			return arrival{}, !l.dead(errno), fmt.Errorf("stream: accept %s: %w", l.Addr(), sysError("accept", errno))
		}
	}
	l.pauseForATurn()
	return arrival{}, false, ErrWouldBlock
}

// cameAndWent reports whether an error of accept(2) concerns only the connection that would have
// been accepted. The manual page has the list: what was aborted, or forbidden by a firewall, and
// the network errors that were pending on the new socket.
func cameAndWent(errno syscall.Errno) bool {
	switch errno {
	case syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM, syscall.ENETDOWN, syscall.ENETUNREACH,
		syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP, syscall.ETIMEDOUT,
		syscall.ECONNRESET, syscall.ENETRESET, syscall.ESOCKTNOSUPPORT, syscall.EPROTONOSUPPORT, noNetwork:
		return true
	}
	return false
}

// dead reports whether an error of accept(2) says that this is no listener any more. EINVAL has
// other reasons too, so the socket is asked. Every other error passes.
func (l *Listener) dead(errno syscall.Errno) bool {
	switch errno {
	case syscall.EBADF, syscall.ENOTSOCK:
		return true
	case syscall.EINVAL:
		listens, errno := l.kernel.SockoptInt(l.fd, syscall.SOL_SOCKET, soAcceptConn)
		return errno == syscall.EBADF || errno == syscall.ENOTSOCK || errno == 0 && listens == 0
	}
	return false
}
