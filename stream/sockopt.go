package stream

import (
	"errors"
	"net"
	"syscall"

	"github.com/corobridge/corobridge/internal/world"
)

// The methods of this file set options of the connection's socket, as those of net.TCPConn do. They
// never wait, and may be called from anywhere. Their errors wrap the system call's;
// errors.ErrUnsupported if there is no socket, as with a Pipe; ErrClosed; ErrDetached.

// SetKeepAlive sets how the system finds out that an idle peer is gone: see KeepAlive. It is
// net.TCPConn's SetKeepAliveConfig.
func (c *Conn) SetKeepAlive(config net.KeepAliveConfig) error {
	return c.setOption("stream: set keep-alive", func(k world.Kernel, fd int) error { return setKeepAlive(k, fd, config) })
}

// SetNoDelay says whether small segments are sent at once: see NoDelay.
func (c *Conn) SetNoDelay(on bool) error {
	return c.setOption("stream: set no-delay", func(k world.Kernel, fd int) error {
		return sysError("setsockopt", k.SetSockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, number(on)))
	})
}

// SetReadBuffer sets the size of the kernel's buffer for input, in bytes.
func (c *Conn) SetReadBuffer(bytes int) error { return c.setBuffer(soRcvBuf, bytes) }

// SetWriteBuffer sets the size of the kernel's buffer for output, in bytes.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.setBuffer(soSndBuf, bytes) }

func (c *Conn) setBuffer(name, bytes int) error {
	return c.setOption("stream: set buffer", func(k world.Kernel, fd int) error {
		return sysError("setsockopt", k.SetSockoptInt(fd, syscall.SOL_SOCKET, name, bytes))
	})
}

// SetLinger says what becomes of output that the kernel holds when the connection is closed. With a
// negative number of seconds, the default, the kernel goes on sending. With 0 it drops that, and
// the peer sees a reset. With more the kernel's close waits for the peer so long, and drops the
// rest then. That wait is in a goroutine of its own; Close of the loop waits for it.
func (c *Conn) SetLinger(seconds int) error {
	return c.withSocket("stream: set linger", func(s *socket) error {
		errno := s.kernel().SetLinger(s.FD(), seconds)
		if errno == 0 {
			s.lingers = seconds > 0
		}
		return sysError("setsockopt", errno)
	})
}

func (c *Conn) setOption(op string, set func(k world.Kernel, fd int) error) error {
	return c.withSocket(op, func(s *socket) error { return set(s.kernel(), s.FD()) })
}

// withSocket calls fn, locked, with the socket below the connection.
func (c *Conn) withSocket(op string, fn func(s *socket) error) error {
	e, err := c.lock()
	if err != nil {
		return c.refused(op, err)
	}
	defer e.unlock()
	s := socketOf(e)
	if s == nil {
		return e.wrap(op, errors.ErrUnsupported)
	}
	return e.wrap(op, fn(s))
}

// socketOf returns the socket below an endpoint, nil if there is none.
func socketOf(e *endpoint) *socket {
	if t, ok := e.transport.(interface{ below() *socket }); ok {
		return t.below()
	}
	return nil
}
