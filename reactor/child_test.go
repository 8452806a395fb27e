//go:build linux

package reactor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

var childScenes = map[string]func(){
	"child: exits with 3": func() { os.Exit(3) },
	"child: exits with 4 when its input ends": func() {
		fmt.Print(".")
		io.Copy(io.Discard, os.Stdin)
		os.Exit(4)
	},
	"child: kills": func() {
		testkit.Check(syscall.Kill(testkit.Must(strconv.Atoi(os.Getenv(sceneArgument))), syscall.SIGTERM))
	},
}

// exit is what AddChild's function is called with.
type exit struct {
	state *os.ProcessState
	err   error
}

func exits() (fn func(*os.ProcessState, error), calls chan exit) {
	calls = make(chan exit, 100)
	return func(s *os.ProcessState, err error) { calls <- exit{s, err} }, calls
}

// mustBeReaped checks that nothing is left of a child.
func mustBeReaped(t *testing.T, pid int) {
	t.Helper()
	if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("process %d is still there: %v, want %v", pid, err, unix.ECHILD)
	}
}

// awaitZombie waits until a child has exited, and leaves it.
func awaitZombie(p *os.Process) {
	testkit.Check(unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
}

// withoutPidfds is a world in which no descriptor tells of a process.
var withoutPidfds = reactor.WithWorld(func(w world.World) world.World { return pidless{w} })

type pidless struct{ world.World }

func (pidless) OpenProcess(*os.Process) (int, error) { return -1, errors.ErrUnsupported }

// childAdder is AddChild.
type childAdder func(*os.Process, func(*os.ProcessState, error)) (remove func() bool, err error)

// eachChildWay runs a test with both ways to watch a child, and on different pollers.
func eachChildWay(t *testing.T, test func(t *testing.T, l *reactor.Loop, add childAdder)) {
	for _, kind := range []reactor.PollerKind{reactor.Epoll, reactor.Poll} {
		t.Run(fmt.Sprint("pidfd, ", kind), func(t *testing.T) {
			l := testkit.StartLoop(t, reactor.WithPoller(kind))
			test(t, l, l.AddChild)
		})
	}
	t.Run("goroutine", func(t *testing.T) {
		l := testkit.StartLoop(t, withoutPidfds)
		test(t, l, l.AddChild)
	})
}

func TestExitOfAChildIsToldOnTheLoop(t *testing.T) {
	scenes := map[string]struct {
		name string
		do   func(t *testing.T, child *scene)
		want string
	}{
		"by itself":                  {"child: exits with 3", func(*testing.T, *scene) {}, "exit status 3"},
		"when it is told to":         {"child: exits with 4 when its input ends", func(_ *testing.T, c *scene) { c.end() }, "exit status 4"},
		"by a signal from elsewhere": {"child: exits with 4 when its input ends", killElsewhere, "signal: terminated"},
	}
	for name, tt := range scenes {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", before: ", before), func(t *testing.T) {
				eachChildWay(t, func(t *testing.T, l *reactor.Loop, add childAdder) {
					child := play(t, tt.name, "")
					if before {
						tt.do(t, child)
						awaitZombie(child.Process)
					}
					fn, calls := exits()
					remove := testkit.Must(add(child.Process, func(s *os.ProcessState, err error) {
						if !l.InLoop() {
							t.Error("called outside the loop, want it called on the loop")
						}
						fn(s, err)
					}))
					if !before {
						tt.do(t, child)
					}
					if e := <-calls; e.err != nil || e.state.String() != tt.want || e.state.Pid() != child.Pid {
						t.Errorf("told %v, %v; want %s of process %d, nil", e.state, e.err, tt.want, child.Pid)
					}
					mustBeReaped(t, child.Pid)
					if remove() {
						t.Error("remove after the call = true, want false")
					}
					testkit.OnLoop(t, l, func() {})
					if len(calls) > 0 {
						t.Error("called again, want one call")
					}
				})
			})
		}
	}
}

// killElsewhere has another process kill the child.
func killElsewhere(t *testing.T, child *scene) {
	child.begun()
	killer := play(t, "child: kills", strconv.Itoa(child.Pid))
	killer.end()
	testkit.Must(killer.Wait())
}

// Any number of children takes no goroutine, and leaves no descriptor.
func TestManyChildrenTakeNoGoroutine(t *testing.T) {
	n := 100
	if testing.Short() {
		n = 5
	}
	l := testkit.StartLoop(t)
	testkit.OnLoop(t, l, func() {})
	open, goroutines := len(testkit.Descriptors()), runtime.NumGoroutine()
	fn, calls := exits()
	var children []*scene
	for range n {
		child := play(t, "child: exits with 4 when its input ends", "")
		testkit.Must(l.AddChild(child.Process, fn))
		children = append(children, child)
	}
	if more := runtime.NumGoroutine() - goroutines; more > 0 {
		t.Errorf("%d goroutines more, want 0", more)
	}
	for _, c := range children {
		c.in.Close()
	}
	seen := map[int]bool{}
	for range children {
		e := <-calls
		if e.err != nil || e.state.ExitCode() != 4 {
			t.Errorf("told %v, %v; want exit status 4, nil", e.state, e.err)
		}
		seen[e.state.Pid()] = true
	}
	for _, c := range children {
		mustBeReaped(t, c.Pid)
		c.out.Close()
	}
	if len(seen) != n || len(testkit.Descriptors()) != open {
		t.Errorf("%d were told of, %d descriptors are open; want %d and %d", len(seen), len(testkit.Descriptors()), n, open)
	}
}

func TestChildThatIsRemovedCanBeWaitedFor(t *testing.T) {
	removals := map[string]func(l *reactor.Loop, c *scene, remove func() bool) bool{
		"remove": func(_ *reactor.Loop, _ *scene, remove func() bool) bool { return remove() },
		"Close":  func(l *reactor.Loop, _ *scene, _ func() bool) bool { return l.Close() == nil },
		"remove, on the loop, when it has exited": func(l *reactor.Loop, c *scene, remove func() bool) (ok bool) {
			testkit.OnLoop(t, l, func() {
				c.end()
				awaitZombie(c.Process)
				ok = remove()
			})
			return ok
		},
	}
	for name, take := range removals {
		t.Run(name, func(t *testing.T) {
			l := testkit.StartLoop(t)
			child := play(t, "child: exits with 4 when its input ends", "")
			remove := testkit.Must(l.AddChild(child.Process, func(*os.ProcessState, error) { t.Error("called, want no call after remove") }))
			if !take(l, child, remove) || remove() {
				t.Error("remove = false, or true twice; want true once, then false")
			}
			child.in.Close()
			if state, err := child.Wait(); err != nil || state.ExitCode() != 4 {
				t.Errorf("Wait = %v, %v; want exit status 4, nil", state, err)
			}
		})
	}
}

// The registration belongs to the open file. The process's own handle refers to that as well, so
// the close does not end the registration.
func TestChildThatIsRemovedDoesNotWakeTheLoop(t *testing.T) {
	var events atomic.Int64
	l := testkit.NewLoop(t, testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		n, err := p.Wait(into, d)
		events.Add(int64(n))
		return n, err
	}))
	testkit.Check(l.Start())
	child := play(t, "child: exits with 4 when its input ends", "")
	remove := testkit.Must(l.AddChild(child.Process, func(*os.ProcessState, error) { t.Error("called, want no call after remove") }))
	testkit.OnLoop(t, l, func() {})
	remove()
	child.end()
	awaitZombie(child.Process)
	testkit.OnLoop(t, l, func() {})
	testkit.OnLoop(t, l, func() {}) // the loop has looked for events in between
	if n := events.Load(); n != 0 {
		t.Errorf("%d events, want 0", n)
	}
}

// Without a pidfd there is nothing to take back but the call.
func TestGoroutineThatWaitsForAChildKeepsNobodyWaiting(t *testing.T) {
	l := testkit.StartLoop(t, withoutPidfds)
	removed, left := play(t, "child: exits with 4 when its input ends", ""), play(t, "child: exits with 4 when its input ends", "")
	remove := testkit.Must(l.AddChild(removed.Process, func(*os.ProcessState, error) { t.Error("called, want no call after remove") }))
	testkit.Must(l.AddChild(left.Process, func(*os.ProcessState, error) { t.Error("called, want no call once the loop is closed") }))
	if !remove() || remove() {
		t.Error("remove = false, or true twice; want true once, then false")
	}
	testkit.Check(l.Close())
	removed.end()
	left.end()
	for stacks := make([]byte, 1<<20); strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "reactor.(*Loop).awaitChild"); {
		runtime.Gosched() // until the goroutines that it has made have ended
	}
	mustBeReaped(t, removed.Pid)
	mustBeReaped(t, left.Pid)
}

func TestClosingLoopStillTellsOfChildren(t *testing.T) {
	l := testkit.NewLoop(t)
	child := play(t, "child: exits with 4 when its input ends", "")
	ctx, cancel := context.WithCancel(context.Background())
	var got exit
	testkit.Must(l.AddChild(child.Process, func(s *os.ProcessState, err error) { got = exit{s, err}; cancel() }))
	start(l, func() {
		await(l.Context())
		child.in.Close() // as one that is told to end, and waited for
		await(ctx)
	})
	testkit.Check(l.Close())
	if got.err != nil || got.state == nil || got.state.ExitCode() != 4 {
		t.Errorf("told %v, want exit status 4 and no error", got)
	}
}

func TestAddChildFails(t *testing.T) {
	l := testkit.StartLoop(t)
	fn := func(*os.ProcessState, error) { t.Error("called, want no call from an AddChild that fails") }
	done := play(t, "child: exits with 3", "")
	testkit.Must(done.Wait())
	if _, err := l.AddChild(done.Process, fn); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a child that was waited for: %v, want %v", err, os.ErrProcessDone)
	}
	child := play(t, "child: exits with 3", "")
	withoutDescriptors(func() {
		if _, err := l.AddChild(child.Process, fn); !errors.Is(err, syscall.EMFILE) {
			t.Errorf("out of descriptors: %v, want %v", err, syscall.EMFILE)
		}
	})
	for name, f := range map[string]func(){
		"no process":  func() { l.AddChild(nil, fn) },
		"no function": func() { l.AddChild(child.Process, nil) },
	} {
		t.Run(name, func(t *testing.T) { testkit.Panics(t, "reactor: …", f) })
	}
}

// withoutDescriptors calls f while the process can open nothing.
func withoutDescriptors(f func()) {
	var limit, none unix.Rlimit
	testkit.Check(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	none = limit
	none.Cur = 1 // which is in use
	testkit.Check(unix.Setrlimit(unix.RLIMIT_NOFILE, &none))
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	f()
}

// Only one of those who wait for a child gets its state.
func TestChildThatSomebodyElseWaitsForIsAnError(t *testing.T) {
	l := testkit.StartLoop(t)
	child := play(t, "child: exits with 4 when its input ends", "")
	fn, calls := exits()
	testkit.Must(l.AddChild(child.Process, fn))
	testkit.Must(l.AddChild(child.Process, fn))
	child.end()
	a, b := <-calls, <-calls
	if a.err != nil {
		a, b = b, a
	}
	if a.err != nil || a.state.ExitCode() != 4 || !errors.Is(b.err, syscall.ECHILD) || b.state != nil {
		t.Errorf("told %v and %v; want exit status 4 once, and %v once", a, b, syscall.ECHILD)
	}
}

func TestChildrenComeAndGoWhileTheLoopCloses(t *testing.T) {
	child := play(t, "child: exits with 4 when its input ends", "")
	for range 50 {
		l := testkit.StartLoop(t)
		var helpers, begun sync.WaitGroup
		for range 3 {
			begun.Add(1)
			helpers.Go(func() {
				started := sync.OnceFunc(begun.Done)
				defer started() // also if AddChild fails
				for i := range 300 {
					if i == 10 {
						started()
					}
					remove, err := l.AddChild(child.Process, func(*os.ProcessState, error) { t.Error("called, want no call: the child has not ended") })
					if err != nil {
						if err != reactor.ErrClosed {
							t.Errorf("AddChild while the loop closes: %v, want nil or %v", err, reactor.ErrClosed)
						}
						return
					}
					if i%3 != 0 || i > 30 { // a few are left to Close
						remove()
					}
				}
			})
		}
		begun.Wait()
		l.Close()
		helpers.Wait()
	}
}

func ExampleLoop_AddChild() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "exit 3"}, &os.ProcAttr{})
	if err != nil {
		panic(err)
	}
	_, err = loop.AddChild(p, func(state *os.ProcessState, err error) {
		fmt.Println(state, err)
		loop.Stop()
	})
	if err != nil {
		panic(err)
	}
	loop.Run(context.Background())
	// Output: exit status 3 <nil>
}
