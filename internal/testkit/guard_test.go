package testkit

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

func TestGuardTellsWhatIsLeftOpen(t *testing.T) {
	if runtime.GOOS == "windows" || Descriptors() == nil {
		t.Skip("files are not seen here")
	}
	path := t.TempDir() + "/left"
	var left *os.File
	fails(t, func(t testing.TB) {
		Guard(t)
		left = Must(os.Create(path))
	}, "is left open; want what the test opens closed")
	left.Close()
	passes(t, func(t testing.TB) {
		Guard(t)
		Check(Must(os.Create(path)).Close())
	})
	passes(t, func(t testing.TB) { // the first call counts
		Guard(t)
		f := Must(os.Create(path))
		t.Cleanup(func() { f.Close() })
		NewLoop(t)
		Guard(t)
		f.Close()
		f = Must(os.Open(path))
	})
}

func TestWatchEndsATestThatHangs(t *testing.T) {
	ended := make(chan string, 1)
	passes(t, func(t testing.TB) {
		watch(t, time.Millisecond, func(text string) { ended <- text })
		text := <-ended
		for _, part := range []string{"TestOfTheKit hangs: want its end within 1ms", "TestWatchEndsATestThatHangs", "goroutine "} {
			if !strings.Contains(text, part) {
				t.Errorf("the process ends with %q, want a text with %q", text, part)
			}
		}
	})
	passes(t, func(t testing.TB) {
		watch(t, time.Hour, func(text string) { panic(text) })
	})
}

// leaksHere, in the environment, makes the next test leave a goroutine behind.
const leaksHere = "TESTKIT_LEAKS"

func TestMainFindsAGoroutineThatIsLeft(t *testing.T) {
	if os.Getenv(leaksHere) != "" {
		go neverGoesOn()
		Eventually(t, "the goroutine is blocked", func() bool {
			stacks := make([]byte, 1<<20)
			return blocked.Match(stacks[:runtime.Stack(stacks, true)])
		})
		return
	}
	Watch(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), leaksHere+"=1")
	out, err := cmd.CombinedOutput()
	want := "goleak: Errors on successful test run"
	if pprof.Lookup("goroutineleak") != nil { // Go 1.27
		want = "testkit: want no goroutine left that can never go on, have 1\n"
	}
	if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), want) {
		t.Errorf("the tests of a package that leaks end with %v and\n%s\nwant a failure with %q", err, out, want)
	}
}

func neverGoesOn() { <-make(chan bool) }

// blocked matches its stack. Only when it is blocked can a profile know that it never goes on.
var blocked = regexp.MustCompile(`\[chan receive[^\n]*\n[^\n]*neverGoesOn`)

type code int

func (c code) Run() int { return int(c) }

func TestMainKeepsTheExitCode(t *testing.T) {
	for want := range 2 {
		if got := (unleaked{code(want)}).Run(); got != want {
			t.Errorf("the exit code is %d, want %d", got, want)
		}
	}
}
