package reactor

import (
	"errors"
	"fmt"

	"github.com/corobridge/corobridge/internal/poll"
)

// SetPoller moves all registrations to a poller of another kind. It is for a loop that does not run and that no other
// goroutine uses meanwhile; it panics while the loop runs. The
// error matches errors.ErrUnsupported where there is no such poller; the loop then keeps the one it has.
func (l *Loop) SetPoller(k PollerKind) error {
	if l.kind == k {
		return nil
	}
	if err := l.begin(); err != nil {
		return err
	}
	defer l.finish()
	p, err := l.world.OpenPoller(k)
	if err != nil {
		return fmt.Errorf("reactor: set poller: %w", err)
	}
	if err := l.fds.moveTo(p); err != nil {
		return errors.Join(fmt.Errorf("reactor: set poller: %w", err), p.Close())
	}
	old := l.poller
	l.poller, l.kind = p, k
	return old.Close()
}

// moveTo registers every source with p too.
func (t *sourceTable) moveTo(p poll.Poller) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, slot := range t.slots {
		if s := slot.source; s != nil {
			if err := p.Add(s.fd, s.tag, s.want, s.mode); err != nil {
				return fmt.Errorf("descriptor %d: %w", s.fd, err)
			}
		}
	}
	return nil
}
