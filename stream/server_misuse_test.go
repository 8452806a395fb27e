//go:build unix || windows

package stream_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// A Server whose fields make no sense panics before it listens, serves, or keeps anything open.
func TestAServerThatMakesNoSensePanics(t *testing.T) {
	const none = "stream: the Group of a Server has no loops; make it with reactor.NewGroup"
	for name, row := range map[string]struct {
		server stream.Server
		want   string
	}{
		"no handler":           {stream.Server{}, "stream: a Server needs a Handler"},
		"a zero group":         {stream.Server{Handler: echo, Group: &reactor.LoopGroup{}}, none},
		"a zero group, a hash": {stream.Server{Handler: echo, Group: &reactor.LoopGroup{}, Balance: stream.SourceHash}, none},
		"balance -1":           {stream.Server{Handler: echo, Balance: -1}, "stream: a Server has Balance -1; …"},
		"balance 3":            {stream.Server{Handler: echo, Balance: 3}, "stream: a Server has Balance 3; …"},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLoop(t)
			ln := listen(t, l, "tcp", "127.0.0.1:0")
			s := &row.server
			in := map[string]context.Context{"a loop's context": l.Context(), "a plain context": context.Background()}
			for where, ctx := range in {
				if s.Group == nil && ctx == context.Background() {
					continue
				}
				t.Log(where)
				testkit.Panics(t, row.want, func() { s.Serve(ctx, ln) })
				testkit.Panics(t, row.want, func() { s.ListenAndServe(ctx, "tcp", "127.0.0.1:0") })
			}
			testkit.InTask(t, l, func(ctx context.Context) {
				testkit.Panics(t, row.want, func() { s.Serve(ctx, ln) })
				testkit.Panics(t, row.want, func() { s.ListenAndServe(ctx, "tcp", "127.0.0.1:0") })
			})
		})
	}
}
