//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// The clock of a bubble stands still while a goroutine of it is in a system call, as that of a loop
// is. So a loop says at once that it can't be there.
func TestALoopInABubbleOfSynctestIsRefused(t *testing.T) {
	calls := map[string]func() error{
		"New":      func() error { _, err := reactor.New(); return err },
		"NewGroup": func() error { _, err := reactor.NewGroup(2); return err },
		"task.Run": func() error {
			return task.Run(context.Background(), func(context.Context) error { return nil })
		},
		"without signals": func() error {
			return task.Run(context.Background(), func(context.Context) error { return nil }, task.WithSignals())
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			synctest.Test(t, func(t *testing.T) {
				err := call()
				if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "run it outside synctest.Test") {
					t.Errorf("the error is %v, want one that refuses, and says what to do", err)
				}
			})
		})
	}
}
