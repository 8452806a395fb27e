//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows)

package world

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// system has a nil Kernel: there is no poller here, so no loop ever calls it.
type system struct {
	Kernel
	start   time.Time
	lookups chan struct{}
}

func newSystem() *system { return &system{start: time.Now()} }

func supported() error {
	return fmt.Errorf("world: sockets on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
