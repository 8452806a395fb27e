package stream

import (
	"net"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/internal/world"
)

// What package net has where nothing is said.
const (
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 9
)

// setKeepAlive sets what KeepAlive says. Where a system lacks one of the options, that stays as it
// is.
func setKeepAlive(k world.Kernel, fd int, c net.KeepAliveConfig) error {
	if errno := k.SetSockoptInt(fd, syscall.SOL_SOCKET, soKeepAlive, number(c.Enable)); errno != 0 || !c.Enable {
		return sysError("setsockopt", errno)
	}
	for _, o := range []struct{ name, value int }{
		{tcpKeepIdle, seconds(c.Idle, keepAliveIdle)},
		{tcpKeepInterval, seconds(c.Interval, keepAliveInterval)},
		{tcpKeepCount, orDefault(c.Count, keepAliveCount)},
	} {
		if o.name < 0 || o.value < 0 {
			continue
		}
		if errno := k.SetSockoptInt(fd, syscall.IPPROTO_TCP, o.name, o.value); errno != 0 {
			return sysError("setsockopt", errno)
		}
	}
	return nil
}

// seconds rounds d up to seconds; a negative d stays so.
func seconds(d, otherwise time.Duration) int {
	d = orDefault(d, otherwise)
	if d < 0 {
		return -1
	}
	return int((d + time.Second - 1) / time.Second)
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func number(on bool) int {
	if on {
		return 1
	}
	return 0
}
