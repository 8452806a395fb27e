//go:build (unix && !aix) || windows

package poll_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// facility is a poller under test.
type facility struct {
	poll.Poller
	kind poll.Kind
}

// required is what has to be tested on each system.
var required = map[string][]poll.Kind{
	"linux":     {poll.Epoll, poll.Poll, poll.Select},
	"android":   {poll.Epoll, poll.Poll, poll.Select},
	"darwin":    {poll.Kqueue, poll.Poll, poll.Select},
	"ios":       {poll.Kqueue, poll.Poll, poll.Select},
	"dragonfly": {poll.Kqueue, poll.Poll, poll.Select},
	"freebsd":   {poll.Kqueue, poll.Poll, poll.Select},
	"netbsd":    {poll.Kqueue, poll.Poll, poll.Select},
	"openbsd":   {poll.Kqueue, poll.Poll, poll.Select},
	"illumos":   {poll.Poll, poll.Select},
	"solaris":   {poll.Poll, poll.Select},
	"windows":   {poll.Poll},
}

// eachKind runs a test with each facility that this system has to have. To skip one is to fail.
func eachKind(t *testing.T, test func(t *testing.T, kind poll.Kind)) {
	t.Helper()
	kinds := required[runtime.GOOS]
	if len(kinds) == 0 {
		t.Fatalf("no facilities are listed for %s, want a row in required", runtime.GOOS)
	}
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Cleanup(func() {
				if t.Skipped() {
					t.Errorf("%v was not tested, want it tested: this system has to have it", kind)
				}
			})
			testkit.Guard(t)
			test(t, kind)
		})
	}
}

// eachPoller is eachKind with a poller for each.
func eachPoller(t *testing.T, test func(t *testing.T, p facility)) {
	t.Helper()
	eachKind(t, func(t *testing.T, kind poll.Kind) {
		p := facility{testkit.Must(poll.New(kind)), kind}
		t.Cleanup(func() {
			if err := p.Close(); err != nil && !errors.Is(err, syscall.EBADF) {
				t.Errorf("Close: %v, want nil or %v", err, syscall.EBADF)
			}
		})
		test(t, p)
	})
}

// eachMode is eachPoller for edge and for level registrations.
func eachMode(t *testing.T, test func(t *testing.T, p facility, mode poll.Mode)) {
	t.Helper()
	for mode, name := range map[poll.Mode]string{poll.Edge: "edge", poll.Level: "level"} {
		t.Run(name, func(t *testing.T) {
			eachPoller(t, func(t *testing.T, p facility) { test(t, p, mode) })
		})
	}
}

// scansBits reports whether the facility is poll(2) of a system that has no bit for a half-close.
// FreeBSD has it since 14.
func (p facility) scansBits() bool {
	switch runtime.GOOS {
	case "linux", "android", "windows":
		return false
	}
	return p.kind == poll.Poll
}

// words returns the conditions that the facility tells apart. A condition that it has no word for
// it tells as readiness, if at all.
func (p facility) words() poll.Events {
	const all = both | poll.Priority | poll.ReadHangup | poll.Hangup | poll.Error
	switch {
	case p.kind == poll.Select:
		return both | poll.Priority
	case p.kind == poll.Kqueue && (runtime.GOOS == "freebsd" || runtime.GOOS == "netbsd"):
		return all &^ poll.Priority
	case p.scansBits():
		return all &^ poll.ReadHangup
	}
	return all
}

// blurs returns the conditions that the facility may report in place of others: macOS tells of a
// half-close as a hang-up.
func (p facility) blurs() poll.Events {
	if p.scansBits() {
		return poll.Hangup | poll.ReadHangup
	}
	return 0
}

func TestKindsAreThoseOfTheSystem(t *testing.T) {
	testkit.Guard(t)
	want := required[runtime.GOOS]
	if got := poll.Kinds(); !slices.Equal(got, want) {
		t.Errorf("Kinds: %v, want %v", got, want)
	}
	for _, kind := range []poll.Kind{poll.Auto, poll.Epoll, poll.Kqueue, poll.Poll, poll.Select, 99} {
		p, err := poll.New(kind)
		if slices.Contains(want, kind) || kind == poll.Auto {
			if err != nil {
				t.Errorf("New(%v): %v, want a poller", kind, err)
				continue
			}
			testkit.Check(p.Close())
		} else if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), kind.String()) {
			t.Errorf("New(%v): %v, want %v that names it", kind, err, errors.ErrUnsupported)
		}
	}
}
