package reactor

import (
	"errors"
	"os"
)

// AddChildWithoutPidfd is AddChild where the system has no pidfds.
func (l *Loop) AddChildWithoutPidfd(p *os.Process, fn func(*os.ProcessState, error)) (remove func() bool, err error) {
	return l.addChild(p, fn, func(*os.Process) (int, error) { return -1, errors.ErrUnsupported })
}
