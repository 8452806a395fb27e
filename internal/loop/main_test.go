//go:build unix || windows

package loop_test

import (
	"testing"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// core is what the loop is made of.
func core(l *reactor.Loop) *loop.Core { return loop.From(l.Context()) }

// counts is what the loop has done.
func counts(l *reactor.Loop) (n loop.Counts) {
	core(l).Look(func() { n = core(l).Counts() })
	return n
}
