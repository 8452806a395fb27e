//go:build !linux

package seam

import (
	"errors"
	"fmt"
	"runtime"
)

// System returns the kernel of this machine. The error wraps errors.ErrUnsupported where there is none to use yet.
func System() (Kernel, error) {
	return nil, fmt.Errorf("seam: sockets on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
