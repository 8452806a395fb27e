//go:build !linux

package seam

import (
	"errors"
	"os"
)

// OpenProcess returns an error that matches errors.ErrUnsupported: there is no descriptor that tells of a process.
func OpenProcess(*os.Process) (fd int, err error) { return -1, errors.ErrUnsupported }

// CloseProcess closes what OpenProcess has returned.
func CloseProcess(int) {}
