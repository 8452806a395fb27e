package stream

import (
	"context"
	"fmt"
	"syscall"

	"github.com/corobridge/corobridge/internal/loop"
)

// SyscallConn returns the connection's socket, for options and calls that this package does not
// have. The connection stays responsible for it: the descriptor is not closed, and not made to
// block.
//
// Control calls its function at once, while no other call uses the connection. The function must
// not call methods of the connection, and must not block.
//
// Read and Write wait for their turn, as the methods of Conn do, and call the function whenever the
// socket may be ready, until it returns true; in callbacks they panic if they would have to wait.
// They end with ErrClosed when the connection is closed. The function of Read sees what the kernel
// holds: what has been read ahead comes before that, see Buffered. The function of Write is called
// when everything written before has been sent. Neither must call methods of the connection, or
// block: on a false, the socket must have blocked.
//
// The error wraps errors.ErrUnsupported if there is no socket, as with a Pipe, and is ErrClosed or
// ErrDetached if the handle is of no use.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	err := c.withSocket("stream: syscall conn", func(s *socket) error {
		s.shared = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rawConn{c}, nil
}

// rawConn is a Conn as package syscall has it.
type rawConn struct{ c *Conn }

func (r rawConn) Control(f func(fd uintptr)) error {
	return r.c.withSocket("stream: control", func(s *socket) error { f(uintptr(s.FD())); return nil })
}

func (r rawConn) Read(f func(fd uintptr) (done bool)) error {
	const op = "stream: raw read"
	c, ctx := r.c, context.Background()
	e, err := c.begin(ctx, inward, op)
	if err != nil {
		return err
	}
	defer c.end(e, inward)
	s := socketOf(e)
	for !f(uintptr(s.FD())) {
		s.emptied()
		e.mayRead = false
		e.bulk = true // the loop leaves the bytes to f
		if err := c.park(ctx, e, &e.reader, (*input)(e), op); err != nil {
			return e.wrap(op, err)
		}
	}
	s.readable, e.mayRead = true, true // nobody knows what f has left
	return nil
}

func (r rawConn) Write(f func(fd uintptr) (done bool)) error {
	const op = "stream: raw write"
	c, ctx := r.c, context.Background()
	if err := c.Flush(ctx); err != nil {
		return err
	}
	e, err := c.begin(ctx, outward, op)
	if err != nil {
		return err
	}
	defer c.end(e, outward)
	s := socketOf(e)
	for e.out.len() > 0 || !f(uintptr(s.FD())) {
		if e.out.len() == 0 {
			s.writable, e.mayWrite = false, false
			s.Blocked(loop.Writable)
		}
		if err := c.park(ctx, e, &e.writer, (*room)(e), op); err != nil {
			return e.wrap(op, err)
		}
	}
	s.writable, e.mayWrite = true, true
	return nil
}

// SyscallConn returns the listener's socket. Control calls its function at once, while no other
// call uses the listener; the function must not call methods of the listener, and must not block.
// Read and Write fail with EINVAL, as package net's. The error is ErrClosed after Close.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("stream: syscall conn of %s: %w", l.Addr(), ErrClosed)
	}
	l.shared = true
	return rawListener{l}, nil
}

type rawListener struct{ l *Listener }

func (r rawListener) Control(f func(fd uintptr)) error {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("stream: control of %s: %w", l.Addr(), ErrClosed)
	}
	f(uintptr(l.fd))
	return nil
}

func (rawListener) Read(func(fd uintptr) bool) error  { return syscall.EINVAL }
func (rawListener) Write(func(fd uintptr) bool) error { return syscall.EINVAL }

// socketConn is a socket that is not connected or bound yet, as Control sees it.
type socketConn struct{ fd int }

func (s socketConn) Control(f func(fd uintptr)) error { f(uintptr(s.fd)); return nil }
func (socketConn) Read(func(fd uintptr) bool) error   { return syscall.EINVAL }
func (socketConn) Write(func(fd uintptr) bool) error  { return syscall.EINVAL }
