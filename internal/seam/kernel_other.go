//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows)

package seam

import (
	"errors"
	"fmt"
	"runtime"
)

// kernel is never made here. It has the methods that those of other systems have, and none that does anything.
type kernel struct {
	Kernel
	faults *FaultLayer
}

// System returns the kernel of this machine. The error wraps errors.ErrUnsupported where there is none to use yet.
func System() (Kernel, error) {
	return nil, fmt.Errorf("seam: sockets on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
