package testkit

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// fake is a test that is not one: it notes its failures.
type fake struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (f *fake) Helper()           {}
func (f *fake) Name() string      { return "TestOfTheKit" }
func (f *fake) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *fake) Errorf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// played runs test as a test, its cleanups included, and returns its failures.
func played(test func(t testing.TB)) []string {
	f := &fake{}
	var over sync.WaitGroup
	over.Go(func() {
		defer func() {
			for len(f.cleanups) > 0 {
				last := len(f.cleanups) - 1
				fn := f.cleanups[last]
				f.cleanups = f.cleanups[:last]
				fn()
			}
		}()
		test(f)
	})
	over.Wait()
	return f.failures
}

// passes checks that a use of the kit does not fail.
func passes(t *testing.T, test func(t testing.TB)) {
	t.Helper()
	if got := played(test); len(got) > 0 {
		t.Errorf("it fails with %q, want that it passes", got)
	}
}

// fails checks that a use of the kit fails once, and that the text has each of parts.
func fails(t *testing.T, test func(t testing.TB), parts ...string) {
	t.Helper()
	got := played(test)
	if len(got) != 1 {
		t.Errorf("it fails with %q, want one failure", got)
		return
	}
	for _, part := range parts {
		if !strings.Contains(got[0], part) {
			t.Errorf("it fails with %q, want a text with %q", got[0], part)
		}
	}
}
