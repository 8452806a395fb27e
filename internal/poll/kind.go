package poll

import (
	"errors"
	"fmt"
)

// Kind names a facility of an operating system.
type Kind int

const (
	Auto   Kind = iota // the best one of this system
	Epoll              // Linux
	Kqueue             // the BSDs and macOS
	Poll               // poll(2), and what Winsock's is made of
	Select             // select(2), for descriptors below FD_SETSIZE
)

// String returns the facility's usual name.
func (k Kind) String() string {
	switch k {
	case Auto:
		return "auto"
	case Epoll:
		return "epoll"
	case Kqueue:
		return "kqueue"
	case Poll:
		return "poll"
	case Select:
		return "select"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// unsupported is what New returns for a facility that this system lacks.
func unsupported(k Kind) error {
	return fmt.Errorf("poll: the %v facility: %w", k, errors.ErrUnsupported)
}
