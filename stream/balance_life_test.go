//go:build linux

package stream_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// onEach dials as many connections as the group has loops, one for each.
func onEach(t testing.TB, g *reactor.LoopGroup, address string) (all []net.Conn) {
	t.Helper()
	for range g.Loops() {
		p := dial(t, address)
		ask(t, p, "hello\n")
		all = append(all, p)
	}
	return all
}

// stopsAccepting waits until nobody listens at an address.
func stopsAccepting(t testing.TB, address string) {
	t.Helper()
	testkit.Eventually(t, "that nobody listens any more", func() bool {
		p, err := net.Dial("tcp", address)
		if err == nil {
			p.Close()
		}
		return err != nil
	})
}

type valueKey struct{}

func TestTheEndOfAServerReachesHandlersOnEveryLoop(t *testing.T) {
	for name, grace := range map[string]time.Duration{"at once": 0, "after Grace": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			g := testkit.StartGroup(t, 4)
			l := startLoop(t)
			ln := listen(t, l, "tcp", "127.0.0.1:0")
			var ended atomic.Int32
			s := &stream.Server{Group: g, Grace: grace, Handler: func(ctx context.Context, c *stream.Conn) error {
				c.ReadLine(ctx)
				c.WriteString(ctx, "hello\n")
				if ctx.Value(valueKey{}) != "value" {
					t.Errorf("the handler's context has the value %v, want %q from the context of Serve", ctx.Value(valueKey{}), "value")
				}
				_, err := c.ReadLine(ctx)
				mustBe(t, "a handler", err, stream.ErrServerClosed)
				mustBe(t, "its context", context.Cause(ctx), stream.ErrServerClosed)
				task.Yield(context.WithoutCancel(ctx))
				ended.Add(1)
				return err
			}}
			ctx, cancel := context.WithCancel(context.WithValue(l.Context(), valueKey{}, "value"))
			srv := task.Spawn(ctx, func(ctx context.Context) error {
				err := s.Serve(ctx, ln)
				if n := ended.Load(); n != 4 {
					t.Errorf("%d of 4 handlers had ended when Serve returned, want 4", n)
				}
				return err
			})
			all := onEach(t, g, ln.Addr().String())
			cancel()
			_, err := srv.Await(context.Background())
			mustBe(t, "Serve", err, nil)
			for _, p := range all {
				mustEnd(t, p)
			}
		})
	}
}

func TestGraceLetsHandlersOnEveryLoopFinish(t *testing.T) {
	g := testkit.StartGroup(t, 3)
	address, stop := serving(t, g.Loops()[0], &stream.Server{Group: g, Grace: time.Hour, Handler: echo})
	all := onEach(t, g, address)
	done := make(chan error, 1)
	go func() { done <- stop() }()
	stopsAccepting(t, address)
	for _, p := range all {
		ask(t, p, "after\n")
		p.Close()
	}
	mustBe(t, "Serve", <-done, nil)
}

// The server ends with the loop of its listener, whoever called Serve.
func TestTheEndOfTheListenersLoopEndsGraceOnEveryLoop(t *testing.T) {
	for name, first := range map[string]func(cancel func(), address string){
		"in the middle of it": func(cancel func(), address string) { cancel(); stopsAccepting(t, address) },
		"before it":           func(func(), string) {},
	} {
		for _, who := range callers[:2] {
			t.Run(name+"/"+who.name, func(t *testing.T) {
				g := testkit.StartGroup(t, 3)
				l := startLoop(t)
				ln := listen(t, l, "tcp", "127.0.0.1:0")
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				served := in(t, func() {
					who.run(t, l, func(context.Context) {
						(&stream.Server{Group: g, Grace: time.Hour, Handler: echo}).Serve(ctx, ln)
					})
				})
				all := onEach(t, g, ln.Addr().String())
				first(cancel, ln.Addr().String())
				mustBe(t, "loop.Close", l.Close(), nil)
				served()
				for _, p := range all {
					mustEnd(t, p)
				}
			})
		}
	}
}

func TestCloseOfAGroupEndsItsServer(t *testing.T) {
	testkit.Guard(t)
	g, err := reactor.NewGroup(3)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- g.Run(context.Background()) }()
	address, stop := serving(t, g.Loops()[1], &stream.Server{Group: g, Grace: time.Hour, Handler: echo})
	all := append(onEach(t, g, address), onEach(t, g, address)...)
	mustBe(t, "group.Close", g.Close(), nil)
	mustBe(t, "Serve", stop(), nil)
	mustBe(t, "Run", <-over, reactor.ErrClosed)
	for _, p := range all {
		mustEnd(t, p)
	}
}

// A group whose run is over closes what it has left, though its loops wait for each other then.
func TestAGroupThatIsStoppedWhileItServesCanBeClosed(t *testing.T) {
	testkit.Guard(t)
	g, err := reactor.NewGroup(3)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- g.Run(ctx) }()
	address, stop := serving(t, g.Loops()[0], &stream.Server{Group: g, Handler: echo})
	all := onEach(t, g, address)
	cancel()
	mustBe(t, "Run", <-over, context.Canceled)
	mustBe(t, "group.Close", g.Close(), nil)
	mustBe(t, "Serve", stop(), nil)
	for _, p := range all {
		mustEnd(t, p)
	}
}

// A loop that was stopped may be run again, so its handlers are waited for, and the log says so.
func TestAServerSaysThatItWaitsForALoopThatWasStopped(t *testing.T) {
	testkit.Guard(t)
	log := &lines{}
	clock := &stopped{}
	g, err := reactor.NewGroup(3)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	over := make(chan error, 1)
	for i, l := range g.Loops() {
		if i == 1 {
			go func() { over <- l.Run(context.Background()) }()
		} else {
			mustBe(t, "Start", l.Start(), nil)
		}
	}
	l := startLoop(t, clock.option(), reactor.WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	address, stop := serving(t, l, &stream.Server{Group: g, Handler: echo})
	all := onEach(t, g, address)
	g.Loops()[1].Stop()
	mustBe(t, "Run", <-over, nil)
	done := make(chan error, 1)
	go func() { done <- stop() }()
	for _, i := range []int{0, 2} {
		mustEnd(t, all[i])
	}
	for log.count("loop=1 loops=3") < 2 {
		before := log.count("Serve is waiting for handlers")
		testkit.OnLoop(t, l, func() {}) // and the timer is set again
		clock.move(l, time.Second)
		testkit.Eventually(t, "that Serve says whom it waits for", func() bool { return log.count("Serve is waiting for handlers") > before })
	}
	if len(done) != 0 {
		t.Error("Serve has returned while handlers run, want it to wait for them")
	}
	mustBe(t, "Start", g.Loops()[1].Start(), nil)
	mustBe(t, "Serve", <-done, nil)
	mustEnd(t, all[1])
}

func TestLoopsThatAreClosedAloneArePassedOver(t *testing.T) {
	for _, balance := range []stream.Balance{stream.RoundRobin, stream.LeastConns, stream.SourceHash} {
		g := testkit.StartGroup(t, 3)
		l := startLoop(t)
		ln := listen(t, l, "tcp", "127.0.0.1:0")
		srv := task.Spawn(l.Context(), func(ctx context.Context) error {
			return (&stream.Server{Group: g, Balance: balance, Handler: where(g)}).Serve(ctx, ln)
		})
		served := map[int]net.Conn{}
		for i := 0; len(served) < 3; i++ {
			p := dialFrom(t, "127.0.2."+strconv.Itoa(i), ln.Addr().String())
			served[loopOf(t, p)] = p
		}
		for gone := range 3 {
			mustBe(t, "Close", g.Loops()[gone].Close(), nil)
			mustEnd(t, served[gone])
			for i := range 10 {
				p := dialFrom(t, "127.0.2."+strconv.Itoa(i), ln.Addr().String())
				if gone == 2 {
					mustEnd(t, p)
					break
				}
				if loop := loopOf(t, p); loop <= gone {
					t.Errorf("balance %d: a connection goes to the closed loop %d, want one above %d", balance, loop, gone)
				}
			}
		}
		_, err := srv.Await(context.Background())
		mustBe(t, "Serve without a loop", err, reactor.ErrClosed)
	}
}

func TestListenAndServeWithAGroupNeedsNoLoopInItsContext(t *testing.T) {
	g := testkit.StartGroup(t, 2)
	ctx, cancel := context.WithCancel(context.Background())
	address := reservePort(t)
	done := make(chan error, 1)
	go func() {
		done <- (&stream.Server{Group: g, Handler: where(g)}).ListenAndServe(ctx, "tcp", address, stream.ReusePort())
	}()
	for i := range 4 {
		p := dialWhenServed(t, address)
		if loop := loopOf(t, p); loop != i%2 {
			t.Errorf("connection %d is served by loop %d, want %d", i, loop, i%2)
		}
	}
	cancel()
	mustBe(t, "ListenAndServe", <-done, nil)
}

// reservePort returns an address that listeners with ReusePort can share. A socket that does not
// listen holds it until the end of the test.
func reservePort(t testing.TB) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) // as the listeners
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
}

// dialWhenServed dials again and again until somebody listens.
func dialWhenServed(t testing.TB, address string) (p net.Conn) {
	t.Helper()
	testkit.Eventually(t, "somebody who listens", func() (ok bool) {
		var err error
		p, err = net.Dial("tcp", address)
		return err == nil
	})
	t.Cleanup(func() { p.Close() })
	return p
}

// Without a group, each loop can have a server and a listener of its own. The kernel then spreads
// the connections.
func TestAListenerForEachLoopSharesThePort(t *testing.T) {
	g := testkit.StartGroup(t, 3)
	address := reservePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var listening atomic.Int32
	go func() {
		_, err := task.OnEach(ctx, g, func(ctx context.Context, l *reactor.Loop) (struct{}, error) {
			ln, err := stream.Listen(ctx, "tcp", address, stream.ReusePort())
			if err != nil {
				return struct{}{}, err
			}
			listening.Add(1)
			return struct{}{}, stream.Serve(ctx, ln, where(g))
		})
		done <- err
	}()
	testkit.Eventually(t, "three listeners", func() bool { return listening.Load() == 3 || len(done) > 0 })
	for range 60 {
		loopOf(t, dial(t, address))
	}
	var sum uint64
	for i, n := range accepted(g) {
		if sum += n; n == 0 {
			t.Errorf("loop %d has got 0 of 60 connections, want 1 or more", i)
		}
	}
	if sum != 60 {
		t.Errorf("%d connections of 60, want 60", sum)
	}
	mustBe(t, "Close of one loop", g.Loops()[1].Close(), nil)
	for range 10 {
		if loop := loopOf(t, dial(t, address)); loop == 1 {
			t.Errorf("served by loop %d, which is closed, want another", loop)
		}
	}
	cancel()
	mustBe(t, "OnEach", <-done, nil)
}

func TestClientsOfManyGoroutinesAreServedOnManyLoops(t *testing.T) {
	const clients, each, rounds = 8, 20, 5
	for _, balance := range []stream.Balance{stream.RoundRobin, stream.LeastConns, stream.SourceHash} {
		g := testkit.StartGroup(t, 4)
		address, stop := serving(t, g.Loops()[0], &stream.Server{Group: g, Balance: balance, Handler: echo})
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 3, byte(i))}}
				for range each {
					p, err := d.Dial("tcp", address)
					if err != nil {
						t.Error(err)
						return
					}
					for range rounds {
						ask(t, p, "hello\n")
					}
					p.Close()
				}
			})
		}
		all.Wait()
		mustBe(t, "Serve", stop(), nil)
		var sum uint64
		for _, n := range accepted(g) {
			sum += n
		}
		if sum != clients*each {
			t.Errorf("balance %d: %d connections accepted, want %d", balance, sum, clients*each)
		}
		for i, n := range open(g) {
			if n != 0 {
				t.Errorf("balance %d: %d connections are open on loop %d, want 0", balance, n, i)
			}
		}
	}
}
