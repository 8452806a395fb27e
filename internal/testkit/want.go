package testkit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/task"
)

// Must returns v, and panics if there is an error: for calls that prepare a test.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check is Must for calls that return only an error.
func Check(err error) {
	if err != nil {
		panic(fmt.Sprintf("testkit: the preparation of a test failed: %v", err))
	}
}

// OK is Check for a system call.
func OK(errno syscall.Errno) {
	if errno != 0 {
		Check(errno)
	}
}

// PanicOf returns what f panics with, or nil.
func PanicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// Panics checks that f panics with this text. A text that ends with "…" is the beginning of it.
func Panics(t testing.TB, text string, f func()) {
	t.Helper()
	v := PanicOf(f)
	if v == nil {
		t.Errorf("no panic, want %q", text)
		return
	}
	got := fmt.Sprint(v)
	if beginning, long := strings.CutSuffix(text, "…"); got != text && !(long && strings.HasPrefix(got, beginning)) {
		t.Errorf("panic\n got %s\nwant %s", got, text)
	}
}

// ErrorIs checks that err is each of want, as errors.Is has it. A nil one wants no error.
func ErrorIs(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("the error is %v, want one that is %v", err, w)
		}
	}
}

// Eventually waits until cond holds, which something else brings about. It asks again and again,
// from a goroutine or a task; what names the condition for the failure.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	eventually(t, patience-time.Minute, what, cond) // before Watch ends the process
}

func eventually(t testing.TB, patience time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("want within %v: %s\n%s", patience, what, stacks())
		}
		task.Sleep(context.Background(), 20*time.Microsecond)
	}
}
