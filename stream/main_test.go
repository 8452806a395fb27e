//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// startLoop is testkit.StartLoop, with a faulty kernel if opts give the loop no other.
func startLoop(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	return testkit.StartLoop(t, append([]reactor.Option{newFaulty().option()}, opts...)...)
}

// peer is the other end of a connection under test: used from goroutines, and blocking.
type peer interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// connPeer makes a peer of the other end of a Pipe.
type connPeer struct{ *stream.Conn }

func (p connPeer) Read(b []byte) (int, error)  { return p.Conn.Read(context.Background(), b) }
func (p connPeer) Write(b []byte) (int, error) { return p.Conn.Write(context.Background(), b) }
func (p connPeer) CloseWrite() error           { return p.Conn.CloseWrite(context.Background()) }

// carrier is a kind of connection: open makes one on a loop.
type carrier struct {
	name string
	open func(t testing.TB, l *reactor.Loop) (*stream.Conn, peer)
}

var (
	overTCP  = carrier{"tcp", func(t testing.TB, l *reactor.Loop) (*stream.Conn, peer) { return dialled(t, l, "tcp", "127.0.0.1:0") }}
	overUnix = carrier{"unix", func(t testing.TB, l *reactor.Loop) (*stream.Conn, peer) {
		needUnix(t)
		return dialled(t, l, "unix", filepath.Join(t.TempDir(), "s"))
	}}
	overPipe = carrier{"pipe", func(t testing.TB, l *reactor.Loop) (*stream.Conn, peer) {
		a, b := stream.Pipe(l.Context())
		t.Cleanup(func() { a.Abort(); b.Abort() })
		return a, connPeer{b}
	}}
	carriers = []carrier{overTCP, overUnix, overPipe}
)

// hasUnix reports whether there are Unix sockets: not on every Windows.
func hasUnix() bool {
	fd, errno := system().Socket("unix", false)
	if errno == 0 {
		errno = system().Close(fd)
	}
	return errno == 0 || runtime.GOOS != "windows"
}

func needUnix(t testing.TB) {
	t.Helper()
	if !hasUnix() {
		t.Skip("no Unix sockets here")
	}
}

func dialled(t testing.TB, l *reactor.Loop, network, address string) (*stream.Conn, peer) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := stream.Dial(l.Context(), network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Abort(); p.Close() })
	return c, p.(peer)
}

// caller is who makes the calls: run calls fn there and waits for it.
type caller struct {
	name string
	run  func(t testing.TB, l *reactor.Loop, fn func(ctx context.Context))
}

var callers = []caller{
	{"task", testkit.InTask},
	{"goroutine", func(t testing.TB, l *reactor.Loop, fn func(ctx context.Context)) { fn(context.Background()) }},
	{"other loop's task", func(t testing.TB, l *reactor.Loop, fn func(ctx context.Context)) {
		other, err := reactor.New()
		if err != nil {
			t.Fatal(err)
		}
		other.Start()
		defer other.Close()
		testkit.InTask(t, other, fn)
	}},
}

// way is one combination of what carries a connection, which poller tells of it, and who calls.
type way struct {
	loop *reactor.Loop
	open func(t testing.TB, l *reactor.Loop) (*stream.Conn, peer)
	run  func(fn func(ctx context.Context))
}

// eachWay runs f for every combination.
func eachWay(t *testing.T, f func(t *testing.T, w way)) {
	for _, poller := range poll.Kinds() {
		for _, k := range carriers {
			if poller != poll.Kinds()[0] && k.name == overPipe.name {
				continue // nothing to poll: once is enough
			}
			for _, who := range callers {
				t.Run(fmt.Sprintf("%v/%s/%s", poller, k.name, who.name), func(t *testing.T) {
					l := startLoop(t, reactor.WithPoller(poller))
					f(t, way{l, k.open, func(fn func(ctx context.Context)) { who.run(t, l, fn) }})
				})
			}
		}
	}
}

// in runs fn in a goroutine; wait, called in a task or a goroutine, waits for it.
func in(t testing.TB, fn func()) (wait func()) {
	var g sync.WaitGroup
	g.Go(fn)
	return func() {
		_, err := task.Blocking(context.Background(), func(context.Context) (int, error) { g.Wait(); return 0, nil })
		if err != nil {
			t.Error(err)
		}
	}
}

// mustBe checks an error with errors.Is; nil means none.
func mustBe(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// runTask runs main as the first task of a loop of its own.
func runTask(main func(ctx context.Context) error, opts ...reactor.Option) error {
	return task.Run(context.Background(), main, task.WithSignals(), task.WithLoopOptions(opts...))
}
