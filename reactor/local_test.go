//go:build unix || windows

package reactor_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestLocal(t *testing.T) {
	l := testkit.NewLoop(t)
	made := 0
	for range 3 {
		if v := core(l).Local("key", func() any { made++; return made }); v != 1 {
			t.Errorf("got %v, want 1", v)
		}
	}
	if v := core(l).Local("other key", func() any { return nil }); v != nil {
		t.Errorf("got %v, want nil", v)
	}
}

func TestLocalsAreClosedTheLatestFirst(t *testing.T) {
	testkit.Guard(t)
	l := testkit.Must(reactor.New())
	var got []string
	add := func(name string, err error) {
		core(l).Local(name, func() any {
			return closer(func() error {
				if !l.InLoop() {
					t.Errorf("%s is closed outside the loop, want it closed inside", name)
				}
				if core(l).Post(run(func() { got = append(got, "posted by "+name) })) != nil {
					t.Errorf("the loop refuses a call while %s is closed, want it taken", name)
				}
				got = append(got, name)
				return err
			})
		})
	}
	other := errors.New("other")
	add("a", errMine)
	add("b", nil)
	core(l).Local("not a closer", func() any { return 1 })
	add("c", other)
	task := false
	ctx := l.Context()
	start(l, func() { await(ctx); task = true; got = append(got, "task") })
	testkit.Turns(t, l, 1)
	err := l.Close()
	if !errors.Is(err, errMine) || !errors.Is(err, other) || err.Error() != l.Close().Error() {
		t.Errorf("Close = %v, want %v and %v, and the same again", err, errMine, other)
	}
	want := []string{"task", "c", "b", "a", "posted by c", "posted by b", "posted by a"}
	if !slices.Equal(got, want) || !task {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestALocalMadeWhileClosingIsClosed(t *testing.T) {
	l := testkit.NewLoop(t)
	closed := 0
	core(l).Local(1, func() any {
		return closer(func() error {
			closed++
			core(l).Post(run(func() { core(l).Local(2, func() any { return closer(func() error { closed++; return nil }) }) }))
			return nil
		})
	})
	l.Close()
	if closed != 2 {
		t.Errorf("%d of 2 were closed, want 2", closed)
	}
}

// The function that makes a value may call the loop, AtClose for instance, while others ask for the
// loop's statistics, which looks at the values.
func TestALocalIsMadeWhileOthersAskForStats(t *testing.T) {
	for name, newOne := range map[string]func(t testing.TB, opts ...reactor.Option) *reactor.Loop{"runs": testkit.StartLoop, "does not run": testkit.NewLoop} {
		t.Run(name, func(t *testing.T) {
			l := newOne(t)
			asked := make(chan struct{})
			core(l).Local("key", func() any {
				go func() { defer close(asked); stats(l) }()
				for range 1000 { // it has its chance to come first
					runtime.Gosched()
				}
				l.AtClose(func() {})()
				return 1
			})
			<-asked
		})
	}
}
