//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// servers are the ways to serve a handler without an OnError.
var servers = map[string]func(ctx context.Context, l *stream.Listener, h stream.Handler) error{
	"Serve": stream.Serve,
	"Server": func(ctx context.Context, l *stream.Listener, h stream.Handler) error {
		return (&stream.Server{Handler: h}).Serve(ctx, l)
	},
	"ListenAndServe": func(ctx context.Context, l *stream.Listener, h stream.Handler) error {
		return stream.ListenAndServe(ctx, "tcp", l.Addr().String(), h)
	},
}

// logged serves h, and returns what the loop logs by the time that the server has ended. use is the
// clients' part.
func logged(t *testing.T, how string, h stream.Handler, use func(address string)) string {
	t.Helper()
	var log lockedBuffer
	l := startLoop(t, reactor.WithExceptionHandler(nil), reactor.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	if how == "ListenAndServe" { // at the same address
		ln.Close()
	}
	srv := task.Spawn(ctx, func(ctx context.Context) error { return servers[how](ctx, ln, h) })
	use(ln.Addr().String())
	cancel()
	_, err := srv.Await(context.Background())
	mustBe(t, how, err, nil)
	return log.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// dialSoon is dial for a server that may not listen yet.
func dialSoon(t *testing.T, address string) (p net.Conn) {
	t.Helper()
	testkit.Eventually(t, "that somebody listens", func() (ok bool) {
		var err error
		p, err = net.Dial("tcp", address)
		return err == nil
	})
	t.Cleanup(func() { p.Close() })
	return p
}

// Nobody has to ask for the errors of handlers to see them.
func TestAHandlersErrorIsLoggedByDefault(t *testing.T) {
	failure := errors.New("of the handler")
	for name, h := range map[string]stream.Handler{
		"an error":             func(context.Context, *stream.Conn) error { return failure },
		"a wrapped error":      func(context.Context, *stream.Conn) error { return fmt.Errorf("request: %w", failure) },
		"an error and an end":  func(context.Context, *stream.Conn) error { return errors.Join(io.EOF, failure) },
		"an error with an end": func(context.Context, *stream.Conn) error { return fmt.Errorf("%w: %w", failure, io.EOF) },
		"a panic":              func(context.Context, *stream.Conn) error { panic(failure) },
		"a panic with an end":  func(context.Context, *stream.Conn) error { panic(fmt.Errorf("of the handler: %w", io.EOF)) },
		"an error of a task that it has started": func(ctx context.Context, c *stream.Conn) error {
			task.Spawn(ctx, func(context.Context) error { return failure })
			return task.Sleep(ctx, time.Hour)
		},
		"an error after Detach": func(_ context.Context, c *stream.Conn) error {
			d := testkit.Must(c.Detach())
			d.Close()
			return failure
		},
		"a timeout of its own": func(ctx context.Context, c *stream.Conn) error {
			ctx, cancel := task.WithTimeout(ctx, time.Microsecond)
			defer cancel()
			_, err := c.ReadLine(ctx)
			return fmt.Errorf("of the handler: %w", err)
		},
		"a cancellation of its own": func(ctx context.Context, c *stream.Conn) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := c.ReadLine(ctx)
			return fmt.Errorf("of the handler: %w", err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for how := range servers {
				var own string
				got := logged(t, how, h, func(address string) {
					p := dialSoon(t, address)
					own = p.LocalAddr().String()
					mustEnd(t, p)
				})
				if n := strings.Count(got, "of the handler"); n == 0 || strings.Count(got, "level=ERROR") != 1 {
					t.Errorf("%s: the loop logs %q, want one error that names the failure", how, got)
				}
				if !strings.HasPrefix(name, "a panic") && !strings.Contains(got, own) {
					t.Errorf("%s: the loop logs %q, want the peer %s in it", how, got, own)
				}
			}
		})
	}
}

// That peers go away is not worth a line in the log.
func TestAnOrdinaryEndIsNotLogged(t *testing.T) {
	reading := func(ctx context.Context, c *stream.Conn) error {
		for {
			if _, err := c.Read(ctx, make([]byte, 10)); err != nil {
				return fmt.Errorf("request: %w", err)
			}
		}
	}
	returning := func(err error) stream.Handler {
		return func(context.Context, *stream.Conn) error { return err }
	}
	hangUp := func(p net.Conn) { p.Close() }
	reset := func(p net.Conn) { p.(*net.TCPConn).SetLinger(0); p.Close() }
	for _, row := range []struct {
		name    string
		handler stream.Handler
		leave   func(p net.Conn)
	}{
		{"the peer's end", reading, hangUp},
		{"a reset", reading, reset},
		{"io.EOF", returning(io.EOF), mustEndFor(t)},
		{"EOF, wrapped", returning(fmt.Errorf("header: %w", io.EOF)), mustEndFor(t)},
		{"ECONNRESET", returning(syscall.ECONNRESET), mustEndFor(t)},
		{"EPIPE", returning(fmt.Errorf("write: %w", syscall.EPIPE)), mustEndFor(t)},
		{"the end, twice", returning(errors.Join(io.EOF, syscall.EPIPE)), mustEndFor(t)},
		{"success", returning(nil), mustEndFor(t)},
		{"the end of the server", reading, func(net.Conn) {}},
		{"the end of the server, told by a context", func(ctx context.Context, c *stream.Conn) error {
			task.Sleep(ctx, time.Hour)
			return context.Cause(ctx)
		}, func(net.Conn) {}},
		{"the end of the server, twice", func(ctx context.Context, c *stream.Conn) error {
			err := reading(ctx, c)
			return errors.Join(err, ctx.Err())
		}, func(net.Conn) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for how := range servers {
				got := logged(t, how, row.handler, func(address string) { row.leave(dialSoon(t, address)) })
				if got != "" {
					t.Errorf("%s: the loop logs %q, want nothing", how, got)
				}
			}
		})
	}
}

func mustEndFor(t *testing.T) func(net.Conn) { return func(p net.Conn) { mustEnd(t, p) } }

// An exception handler of the loop gets what would be logged, with the original error inside.
func TestAHandlersErrorGoesToTheLoopsExceptionHandler(t *testing.T) {
	failure := errors.New("failure")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		if network == "unix" {
			needUnix(t)
		}
		var told testkit.Exceptions
		l := startLoop(t, told.Option())
		ln := listen(t, l, network, address)
		stop := servingOn(t, l, ln, &stream.Server{Handler: func(ctx context.Context, c *stream.Conn) error {
			if line, _ := c.ReadLine(ctx); line == "error" {
				return failure
			}
			d := testkit.Must(c.Detach())
			defer d.Close()
			panic("ouch")
		}})
		for _, line := range []string{"error\n", "panic\n"} {
			p := testkit.Must(net.Dial(network, ln.Addr().String()))
			p.Write([]byte(line))
			io.ReadAll(p)
			p.Close()
		}
		mustBe(t, "Serve", stop(), nil)
		all := told.Take()
		var p *task.PanicError
		if len(all) != 2 || !errors.Is(all[0].Err, failure) || !errors.As(all[1].Err, &p) || p.Value != "ouch" {
			t.Fatalf("%s: reported: %v, want the failure and the panic %q", network, all, "ouch")
		}
		if text := all[0].Err.Error(); strings.Contains(text, "from :") || strings.Contains(text, "from @:") {
			t.Errorf("%s: reported %q, want no hole in place of the peer", network, text)
		}
	}
}
