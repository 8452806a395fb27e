//go:build unix && !aix

package polltest_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/poll/polltest"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestCounterCountsEachCall(t *testing.T) {
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			p, err := poll.New(kind)
			if err != nil {
				t.Fatal(err)
			}
			c := polltest.Count(p)
			if c.NeedsRearm() != p.NeedsRearm() || c.ForgetsClosed() != p.ForgetsClosed() {
				t.Errorf("NeedsRearm %v, ForgetsClosed %v; want the decorated poller's: %v, %v", c.NeedsRearm(), c.ForgetsClosed(), p.NeedsRearm(), p.ForgetsClosed())
			}
			const none = -1 // the calls fail, and are counted
			c.Add(none, 1, poll.Readable, poll.Edge)
			c.Modify(none, 1, poll.Readable, poll.Edge)
			c.Remove(none)
			c.Rearm(none, poll.Readable)
			c.Wake()
			into := make([]poll.Event, 1)
			c.Wait(into, 0)
			c.Wake()
			if n, err := c.Wait(into, time.Hour); n != 0 || err != nil {
				t.Errorf("Wait: %d, %v; want 0 and nil", n, err)
			}
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v, want nil", err)
			}
			if err := c.Wake(); err != unix.EBADF {
				t.Errorf("Wake: %v, want %v", err, unix.EBADF)
			}
			for name, got := range map[string]int64{
				"Add": c.Adds.Load(), "Modify": c.Modifies.Load(), "Remove": c.Removes.Load(), "Rearm": c.Rearms.Load(),
				"Wait": c.Waits.Load(), "Poll": c.Polls.Load(), "Wake": c.Wakes.Load() - 2, "Close": c.Closes.Load(),
			} {
				if got != 1 {
					t.Errorf("%s: counted %d, want 1", name, got)
				}
			}
		})
	}
}
