package stream

import (
	"context"
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
	file    world.File // what a Unix listener has made at its path
	kind    target     // of socket
	options options
	unhook  func() // of the loop's Close
	mu      sync.Mutex
	ready   bool
	accepts uint8     // in a row without waiting
	gone    int       // that came and went, in a row
	line    coro.Line // of those in Accept
	notify  func()
	closed  bool
	shared  bool // SyscallConn has shown the descriptor
	backoff backoff
}

// Listen listens at an address, as net.Listen takes it: "tcp", "tcp4", "tcp6" with host:port, or
// "unix" with a path. With "tcp", an empty host, 0.0.0.0 and [::] each mean every address of this
// machine, of both families, in one socket. Of a name's addresses it takes one, the first of IPv4
// if there is one. Port 0, or none, is a port that is free. A path that begins with @ is an
// abstract name, and an empty one lets Linux choose that.
//
// The errors wrap *net.AddrError, *net.DNSError, net.UnknownNetworkError, or the system call's:
// EADDRINUSE, for instance, if any part of the address is taken.
//
// Listen may be called from tasks and goroutines, and with a literal address from callbacks. It
// panics when ctx carries no loop.
func Listen(ctx context.Context, network, address string, opts ...Option) (*Listener, error) {
	loop := loopOf(ctx, "Listen")
	fail := func(err error) (*Listener, error) {
		return nil, fmt.Errorf("stream: listen %s %s: %w", network, address, err)
	}
	targets, err := resolve(ctx, loop, network, address, true)
	if err != nil {
		return fail(err)
	}
	l, err := listen(loop, targets[0], applied(opts))
	if err != nil {
		return fail(err)
	}
	return l, nil
}

func listen(loop *reactor.Loop, t target, o options) (*Listener, error) {
	core := coreOf(loop)
	k := core.World()
	fd, errno := k.Socket(t.network, t.dual)
	if t.dual && lacksFamily(errno) {
		t = t.only4()
		fd, errno = k.Socket(t.network, t.dual)
	}
	if errno != 0 {
		return nil, sysError("socket", errno)
	}
	if err := o.prepare(k, fd, t, true); err != nil {
		k.Close(fd)
		return nil, err
	}
	if err := bind(k, fd, t, o); err != nil {
		k.Close(fd)
		return nil, err
	}
	l := &Listener{loop: loop, core: core, kernel: k, fd: fd, options: o, own: t.addr, file: fileOf(k, t.addr), kind: t}
	l.backoff.init(k, t.network)
	if t.network != "unix" || t.addr.Path == "" {
		l.own, _ = k.LocalAddr(fd) // the port, or the abstract name, that was chosen
	}
	l.mu.Lock() // the first event may come before there is a source
	defer l.mu.Unlock()
	if o.bound {
		l.unhook = loop.AtClose(func() { l.Close() })
		return l, nil
	}
	if err := l.source.Attach(core, fd, l); err != nil {
		removeFile(k, l.own, l.file)
		l.backoff.dropReserve(k)
		k.Close(fd)
		return nil, err
	}
	l.unhook = loop.AtClose(func() { l.Close() })
	return l, nil
}

// lacksFamily reports whether there can be no socket for both families here: no IPv6 at all, or no
// IPv4 in it.
func lacksFamily(errno syscall.Errno) bool {
	switch errno {
	case syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.EINVAL, syscall.ENOPROTOOPT:
		return true
	}
	return false
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
	if o.bound {
		return nil
	}
	errno := k.Listen(fd, o.backlog)
	if errno != 0 {
		removeFile(k, t.addr, fileOf(k, t.addr))
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
	if l.options.bound {
		return l.beginListening(n)
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

// Close stops listening. When it returns, nobody connects any more, and the address is free. Those
// who have connected and were not accepted are reset. Accepts that wait fail with ErrClosed. A
// second Close does nothing. The file that a Unix listener has made at its path is removed, unless
// another is there by now. Close may be called from anywhere.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.unhook()
	if l.shared {
		l.source.Detach() // a duplicate would keep the registration
	} else {
		l.source.Closing()
	}
	removeFile(l.kernel, l.own, l.file)
	errno := l.kernel.Close(l.fd)
	l.endPause()
	l.backoff.dropReserve(l.kernel)
	wakeAll(&l.line)
	if l.notify != nil {
		l.core.Post(callback(l.notify))
	}
	return sysError("close", errno)
}

// fileOf returns the file that binding a Unix socket to its address has made. An abstract address
// has none.
func fileOf(k world.Kernel, own addr) world.File {
	if own.Path == "" || strings.HasPrefix(own.Path, "@") {
		return world.File{}
	}
	return k.FileAt(own.Path)
}

// removeFile removes the file that a listener has made, and no other: somebody may have removed it,
// and listen there now. It is called while the socket is open. Until then the file's number, by
// which it is known, is nobody else's.
func removeFile(k world.Kernel, own addr, made world.File) {
	if made.Is(fileOf(k, own)) {
		k.Unlink(own.Path)
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
