//go:build !linux

package world

import (
	"errors"
	"os"
)

// openProcess fails: no descriptor tells of a process here.
func openProcess(*os.Process) (fd int, err error) { return -1, errors.ErrUnsupported }
