package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

// Listener accepts connections. Its methods may be called from tasks and goroutines; TryAccept,
// Addr and Close from callbacks too.
type Listener struct {
	loop    *reactor.Loop
	core    *loop.Core
	kernel  world.Kernel
	fd      int
	source  loop.Source
	own     addr
	options options
	unhook  func() // of the loop's Close
	mu      sync.Mutex
	ready   bool
	accepts uint8     // in a row without waiting
	line    coro.Line // of those in Accept
	notify  func()
	closed  bool
	backoff backoff
}

// Listen listens at an address, as net.Listen takes it. An empty host means every address of this
// machine, and port 0 a port that is free. Listen may be called from tasks and goroutines, and with
// a literal address from callbacks. It panics when ctx carries no loop.
func Listen(ctx context.Context, network, address string, opts ...Option) (*Listener, error) {
	loop := loopOf(ctx, "Listen")
	fail := func(err error) (*Listener, error) {
		return nil, fmt.Errorf("stream: listen %s %s: %w", network, address, err)
	}
	targets, err := resolve(ctx, loop, network, address, true)
	if err != nil {
		return fail(err)
	}
	var errs []error
	for _, t := range targets {
		l, err := listen(loop, t, applied(opts))
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	return fail(errors.Join(errs...))
}

func listen(loop *reactor.Loop, t target, o options) (*Listener, error) {
	core := coreOf(loop)
	k := core.World()
	fd, errno := k.Socket(t.network, t.dual)
	if errno != 0 {
		return nil, sysError("socket", errno)
	}
	if err := bind(k, fd, t, o); err != nil {
		k.Close(fd)
		return nil, err
	}
	l := &Listener{loop: loop, core: core, kernel: k, fd: fd, options: o, own: t.addr}
	l.backoff.init(k, t.network)
	if t.network != "unix" {
		l.own, _ = k.LocalAddr(fd) // the port that was chosen
	}
	l.mu.Lock() // the first event may come before there is a source
	defer l.mu.Unlock()
	if err := l.source.Attach(core, fd, l); err != nil {
		removePath(k, l.own)
		l.backoff.dropReserve(k)
		k.Close(fd)
		return nil, err
	}
	l.unhook = loop.AtClose(func() { l.Close() })
	return l, nil
}

func bind(k world.Kernel, fd int, t target, o options) error {
	if t.network != "unix" {
		// Without it a restart may have to wait, which is no error.
		k.SetSockoptInt(fd, syscall.SOL_SOCKET, soReuseAddr, 1)
	}
	if o.reusePort {
		if errno := k.SetSockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1); errno != 0 {
			return sysError("setsockopt", errno)
		}
	}
	if errno := k.Bind(fd, t.addr); errno != 0 {
		return sysError("bind", errno)
	}
	errno := k.Listen(fd, o.backlog)
	if errno != 0 {
		removePath(k, t.addr)
	}
	return sysError("listen", errno)
}

// SetBacklog changes how many connections may wait to be accepted.
func (l *Listener) SetBacklog(n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("stream: set backlog of %s: %w", l.Addr(), ErrClosed)
	}
	return sysError("listen", l.kernel.Listen(l.fd, n))
}

// Addr returns the address the listener has, also after Close.
func (l *Listener) Addr() net.Addr { return netAddr(l.own) }

// Ready is told by the loop that there is somebody to accept.
func (l *Listener) Ready(loop.Events) {
	l.mu.Lock()
	l.ready = true
	l.tellAcceptors()
}

// tellAcceptors has those who accept try, unless there is a pause. It is called locked, on the
// loop, and unlocks.
func (l *Listener) tellAcceptors() {
	if l.backoff.paused {
		l.mu.Unlock()
		return
	}
	wakeAll(&l.line)
	notify := l.notify
	l.mu.Unlock()
	if notify != nil {
		notify()
	}
}

// OnReady has fn called on the loop when there may be somebody to accept. fn stays until it is
// replaced; nil removes it. OnReady itself calls nothing. It is called on the loop.
func (l *Listener) OnReady(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notify = fn
}

// Accept waits for a connection. A cancelled Accept takes none. When the process or the machine is
// out of descriptors or memory, Accept goes on waiting: the listener pauses until one of its
// connections is closed, and tries again each 100 ms besides. A lack of descriptors that has lasted
// a second turns away those who wait to be accepted. The first pause is logged; both are counted,
// see StatsOf.
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
		return nil, l.pause(err)
	}
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
	a, err := l.acceptOne()
	switch {
	case err == nil:
	case err == ErrWouldBlock || errors.Is(err, ErrClosed):
		return arrival{}, err
	case isOneOf(err, syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK):
		return arrival{}, err // it is no listener any more: a pause would not help
	default:
		return arrival{}, l.pause(err)
	}
	if !l.options.delay && a.peer.IP.IsValid() {
		// An error is a matter of speed only.
		l.kernel.SetSockoptInt(a.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
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

func (l *Listener) acceptOne() (arrival, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range share {
		if l.closed {
			return arrival{}, fmt.Errorf("stream: accept %s: %w", l.Addr(), ErrClosed)
		}
		if !l.ready || l.backoff.paused {
			return arrival{}, ErrWouldBlock
		}
		fd, peer, errno := l.kernel.Accept(l.fd)
		switch {
		case errno == 0:
			l.accepts++
			l.enough()
			return arrival{l, fd, peer}, nil
		case errno == syscall.EAGAIN:
			l.ready = false
			l.source.Blocked(loop.Readable)
		case !cameAndWent(errno):
			return arrival{}, fmt.Errorf("stream: accept %s: %w", l.Addr(), sysError("accept", errno))
		}
	}
	l.pauseForATurn()
	return arrival{}, ErrWouldBlock
}

// cameAndWent reports whether an error of accept(2) concerns only the connection that would have
// been accepted: see the manual page.
func cameAndWent(errno syscall.Errno) bool {
	switch errno {
	case syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM, syscall.ENETDOWN, syscall.ENETUNREACH,
		syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOPROTOOPT:
		return true
	}
	return false
}

// Close stops listening. Accepts that wait fail with ErrClosed. A second Close does nothing. The
// path of a Unix socket is removed.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.unhook()
	l.source.Closing()
	removePath(l.kernel, l.own) // before somebody else can listen there
	errno := l.kernel.Close(l.fd)
	l.endPause()
	l.backoff.dropReserve(l.kernel)
	wakeAll(&l.line)
	if l.notify != nil {
		l.core.Post(callback(l.notify))
	}
	return sysError("close", errno)
}

// removePath removes the file that listening at a path has made. An abstract address has none.
func removePath(k world.Kernel, own addr) {
	if p := own.Path; p != "" && !strings.HasPrefix(p, "@") {
		k.Unlink(p)
	}
}

// ListenAndServe listens at an address and serves each connection with h until ctx is done, or the
// listener fails: see Server.
func ListenAndServe(ctx context.Context, network, address string, h Handler, opts ...Option) error {
	return (&Server{Handler: h}).ListenAndServe(ctx, network, address, opts...)
}

// Serve serves each connection of l with h until ctx is done, or the listener fails: see Server.
func Serve(ctx context.Context, l *Listener, h Handler) error {
	return (&Server{Handler: h}).Serve(ctx, l)
}
