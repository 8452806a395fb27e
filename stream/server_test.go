//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// serving runs a server, and returns its address and how to end it.
func serving(t testing.TB, l *reactor.Loop, s *stream.Server) (address string, stop func() error) {
	t.Helper()
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	return ln.Addr().String(), servingOn(t, l, ln, s)
}

// servingOn is serving with a listener of l's.
func servingOn(t testing.TB, l *reactor.Loop, ln *stream.Listener, s *stream.Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(l.Context())
	srv := task.Spawn(ctx, func(ctx context.Context) error { return s.Serve(ctx, ln) })
	stop = sync.OnceValue(func() error {
		cancel()
		_, err := srv.Await(context.Background())
		return err
	})
	t.Cleanup(func() { stop() })
	return stop
}

func echo(ctx context.Context, c *stream.Conn) error {
	_, err := stream.Copy(ctx, c, c)
	return err
}

// mustEnd checks that the server closes the connection.
func mustEnd(t testing.TB, p net.Conn) {
	t.Helper()
	if _, err := p.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Read = %v, want EOF or ECONNRESET", err)
	}
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	p, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p.(*net.TCPConn)
}

// ask sends a line and checks that it comes back.
func ask(t testing.TB, p net.Conn, line string) {
	t.Helper()
	p.Write([]byte(line))
	b := make([]byte, len(line))
	if _, err := io.ReadFull(p, b); string(b) != line || err != nil {
		t.Errorf("%q: %q, %v; want %q and nil", line, b, err, line)
	}
}

func TestServer(t *testing.T) {
	for _, poller := range poll.Kinds() {
		l := startLoop(t, reactor.WithPoller(poller))
		address, stop := serving(t, l, &stream.Server{Handler: echo})
		var all []net.Conn
		for range 20 {
			p := dial(t, address)
			ask(t, p, "hello")
			all = append(all, p)
		}
		mustBe(t, "Serve", stop(), nil)
		for _, p := range all {
			if _, err := p.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("after the end of the server: %v, want %v", err, io.EOF)
			}
		}
		if s := stream.StatsOf(l); s.Open != 0 || s.Accepted != 20 {
			t.Errorf("%d open and %d accepted, want 0 and 20", s.Open, s.Accepted)
		}
		if _, err := net.Dial("tcp", address); !errors.Is(err, refusedOfNet) {
			t.Errorf("dial after the end: %v, want %v", err, refusedOfNet)
		}
	}
}

// What goes wrong in one handler is told, ends its connection, and no other.
func TestAFailingHandlerEndsItsOwnConnection(t *testing.T) {
	testkit.Guard(t)
	var mu sync.Mutex
	var told []error
	reported := make(chan reactor.Exception, 10)
	l := startLoop(t, reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) { reported <- e }))
	failure := errors.New("failure")
	handler := func(ctx context.Context, c *stream.Conn) error {
		for line, err := range c.Lines(ctx) {
			if err != nil {
				return err
			}
			switch line {
			case "panic":
				panic("of the handler")
			case "error":
				return failure
			case "child":
				task.Spawn(ctx, func(context.Context) error { return failure })
				c.ReadLine(ctx)
				return nil
			case "detach and panic":
				d, _ := c.Detach()
				d.Close()
				panic("detached")
			case "child that is left":
				task.Spawn(ctx, func(ctx context.Context) error { return task.Sleep(ctx, time.Hour) })
				return nil
			case "eof":
				return io.EOF
			}
			c.WriteString(ctx, line+"\n")
		}
		return nil
	}
	address, stop := serving(t, l, &stream.Server{Handler: handler, OnError: func(c *stream.Conn, err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
		if len(told) == 5 {
			panic("of OnError")
		}
	}})
	bystander := dial(t, address)
	ask(t, bystander, "hello\n")
	for _, s := range []string{"eof", "child that is left", "panic", "error", "child", "detach and panic", "error"} {
		p := dial(t, address)
		p.Write([]byte(s + "\n"))
		if _, err := p.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: %v, want %v", s, err, io.EOF)
		}
		ask(t, bystander, "still here\n")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 5 {
		t.Fatalf("OnError is told %d errors, want 5: %v", len(told), told)
	}
	var p *task.PanicError
	if !errors.As(told[0], &p) || p.Value != "of the handler" || !strings.Contains(string(p.Stack), "server_test.go") {
		t.Errorf("told first: %v, want the panic %q with its stack", told[0], "of the handler")
	}
	mustBe(t, "the error", told[1], failure)
	mustBe(t, "the child's error", told[2], failure)
	if e := <-reported; e.Op != "Server.OnError" || !errors.As(e.Err, &p) || p.Value != "of OnError" {
		t.Errorf("reported: %v, want Server.OnError and the panic %q", e, "of OnError")
	}
	mu.Unlock()
	mustBe(t, "Serve", stop(), nil)
	mu.Lock()
}

// What a handler starts is cancelled and awaited when it returns, before the connection is closed.
func TestAHandlersTasksEndWithIt(t *testing.T) {
	l := startLoop(t)
	var ended atomic.Bool
	address, _ := serving(t, l, &stream.Server{Handler: func(ctx context.Context, c *stream.Conn) error {
		task.Spawn(ctx, func(ctx context.Context) error {
			err := task.Sleep(ctx, time.Hour)
			mustBe(t, "Sleep", err, context.Canceled)
			task.Yield(context.WithoutCancel(ctx))
			c.WriteString(context.WithoutCancel(ctx), "goodbye")
			ended.Store(true)
			return err
		})
		c.ReadLine(ctx)
		return nil
	}, OnError: func(c *stream.Conn, err error) { t.Errorf("OnError is told %v, want no call", err) }})
	p := dial(t, address)
	p.Write([]byte("\n"))
	if got, err := io.ReadAll(p); string(got) != "goodbye" || !ended.Load() {
		t.Errorf("%q, %v, ended: %v; want %q, nil, true", got, err, ended.Load(), "goodbye")
	}
}

func TestGraceLetsHandlersFinish(t *testing.T) {
	l := startLoop(t)
	address, stop := serving(t, l, &stream.Server{Grace: time.Hour, Handler: echo})
	p := dial(t, address)
	ask(t, p, "before")
	done := make(chan error, 1)
	go func() { done <- stop() }()
	testkit.Eventually(t, "that nobody listens any more", func() bool {
		q, err := net.Dial("tcp", address)
		if err == nil {
			q.Close()
		}
		return err != nil
	})
	ask(t, p, "after")
	p.CloseWrite()
	if rest, err := io.ReadAll(p); len(rest) != 0 || err != nil {
		t.Errorf("after the end was sent came %q, %v; want nothing and nil", rest, err)
	}
	mustBe(t, "Serve", <-done, nil)
}

func TestGraceEnds(t *testing.T) {
	l := startLoop(t)
	told := make(chan error, 1)
	address, stop := serving(t, l, &stream.Server{Grace: time.Millisecond, Handler: echo,
		OnError: func(_ *stream.Conn, err error) { told <- err }})
	p := dial(t, address)
	ask(t, p, "before")
	mustBe(t, "Serve", stop(), nil)
	mustBe(t, "the handler", <-told, stream.ErrServerClosed)
	if _, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v, want %v", err, io.EOF)
	}
}

func TestLoopCloseEndsGrace(t *testing.T) {
	testkit.Guard(t)
	l, err := reactor.New()
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	address, stop := serving(t, l, &stream.Server{Grace: time.Hour, Handler: echo})
	p := dial(t, address)
	ask(t, p, "before")
	ended := in(t, func() { mustBe(t, "Serve", stop(), nil) })
	testkit.Eventually(t, "that nobody listens any more", func() bool {
		q, err := net.Dial("tcp", address)
		if err == nil {
			q.Close()
		}
		return err != nil
	})
	mustBe(t, "loop.Close", l.Close(), nil)
	ended()
	if _, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v, want %v", err, io.EOF)
	}
}

func TestADetachedConnectionOutlivesItsHandlerAndServer(t *testing.T) {
	l := startLoop(t)
	detached := make(chan *stream.Conn, 1)
	address, stop := serving(t, l, &stream.Server{Handler: func(ctx context.Context, c *stream.Conn) error {
		line, _ := c.ReadLine(ctx)
		d, err := c.Detach()
		if line == "keep" {
			detached <- d
		}
		return err
	}})
	p := dial(t, address)
	p.Write([]byte("keep\nthe rest\n"))
	d := <-detached
	mustBe(t, "Serve", stop(), nil)
	if line, err := d.ReadLine(context.Background()); line != "the rest" {
		t.Errorf("%q, %v; want %q", line, err, "the rest")
	}
	d.WriteString(context.Background(), "reply")
	d.Close()
	if got, err := io.ReadAll(p); string(got) != "reply" {
		t.Errorf("%q, %v; want %q", got, err, "reply")
	}
}

func TestServeEndsWithTheListener(t *testing.T) {
	l := startLoop(t)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	srv := task.Spawn(l.Context(), func(ctx context.Context) error { return stream.Serve(ctx, ln, echo) })
	p := dial(t, ln.Addr().String())
	ask(t, p, "hello")
	ln.Close()
	_, err := srv.Await(context.Background())
	mustBe(t, "Serve", err, stream.ErrClosed)
	if _, err := p.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection: %v, want %v", err, io.EOF)
	}
}

func TestListenAndServe(t *testing.T) {
	needUnix(t)
	testkit.Guard(t)
	path := filepath.Join(t.TempDir(), "s")
	err := runTask(func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		srv := task.Spawn(gctx, func(ctx context.Context) error { return stream.ListenAndServe(ctx, "unix", path, echo) })
		var c *stream.Conn
		for c == nil {
			c, _ = stream.Dial(ctx, "unix", path) // nobody listens yet
			task.Yield(ctx)
		}
		c.WriteString(ctx, "hello\n")
		if line, err := c.ReadLine(ctx); line != "hello" {
			t.Errorf("%q, %v; want %q", line, err, "hello")
		}
		srv.Cancel(nil)
		_, err := c.ReadLine(ctx)
		mustBe(t, "after the end", err, io.EOF)
		c.Close()
		mustBe(t, "Listen where nobody can", stream.ListenAndServe(ctx, "unix", "/nowhere/s", echo), syscall.ENOENT)
		return g.Wait()
	})
	mustBe(t, "Run", err, nil)
}

// A server without descriptors waits for some, and goes on.
func TestAServerOutOfDescriptorsRecovers(t *testing.T) {
	testkit.Guard(t)
	f := newFaulty()
	l := startLoop(t, f.option(), quiet)
	address, stop := serving(t, l, &stream.Server{Handler: echo})
	first := dial(t, address)
	ask(t, first, "hello")
	f.accept(syscall.EMFILE)
	f.accept(syscall.ENFILE)
	second := dial(t, address)
	ask(t, first, "served meanwhile")
	ask(t, second, "served in the end")
	f.accept(syscall.EMFILE)
	third := dial(t, address)
	testkit.Eventually(t, "that all failures have happened", func() bool { return f.failing() == 0 })
	mustBe(t, "Serve", stop(), nil) // in the middle of a pause
	third.Close()
}
