//go:build linux

package stream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// closingPoller begins to close its loop when a descriptor is to be registered.
type closingPoller struct {
	poll.Poller
	close func()
}

func (p *closingPoller) Add(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	if p.close != nil {
		p.close()
		return syscall.EBADF
	}
	return p.Poller.Add(fd, tag, want, mode)
}

func TestALoopThatClosesWhileItGetsAConnectionEndsThatOneOnly(t *testing.T) {
	testkit.Guard(t)
	var pollers []*closingPoller
	g := testkit.StartGroup(t, 2, reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller {
		pollers = append(pollers, &closingPoller{Poller: p})
		return pollers[len(pollers)-1]
	})))
	l := startLoop(t)
	address, stop := serving(t, l, &stream.Server{Group: g, Handler: where(g)})
	a := dial(t, address)
	loopOf(t, a) // on the first
	victim := g.Loops()[1]
	testkit.OnLoop(t, l, func() {
		pollers[1].close = func() {
			go victim.Close()
			testkit.Eventually(t, "the end of the loop", func() bool { return victim.Context().Err() != nil })
		}
	})
	mustEnd(t, dial(t, address))
	<-victim.Done()
	for _, p := range []net.Conn{a, dial(t, address), dial(t, address)} {
		if loop := loopOf(t, p); loop != 0 {
			t.Errorf("served by loop %d, want 0", loop)
		}
	}
	mustBe(t, "Serve", stop(), nil)
}

func TestAHandlerThatFailsOnOneLoopEndsItsOwnConnection(t *testing.T) {
	failure := errors.New("of the handler")
	for name, run := range map[string]func(g *reactor.LoopGroup){
		"Start": func(g *reactor.LoopGroup) { g.Start() },
		"Run":   func(g *reactor.LoopGroup) { go g.Run(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			told := make(chan *reactor.Loop, 10)
			g, err := reactor.NewGroup(3, reactor.WithExceptionHandler(func(l *reactor.Loop, e reactor.Exception) {
				known := errors.Is(e.Err, failure) || errors.As(e.Err, new(*task.PanicError)) || errors.Is(e.Err, task.ErrGoexit)
				if !l.InLoop() || !known {
					t.Errorf("reported: %v (in its loop: %v), want a failure, in its loop", e, l.InLoop())
				}
				told <- l
			}))
			if err != nil {
				t.Fatal(err)
			}
			run(g)
			where := where(g)
			address, stop := serving(t, startLoop(t), &stream.Server{Group: g, Handler: func(ctx context.Context, c *stream.Conn) error {
				switch line, _ := c.ReadLine(ctx); line {
				case "panic":
					panic("of the handler")
				case "error":
					return failure
				case "goexit":
					runtime.Goexit()
				}
				return where(ctx, c)
			}})
			send := func(line string) net.Conn {
				p := dial(t, address)
				io.WriteString(p, line+"\n")
				return p
			}
			bystanders := []net.Conn{send(""), send(""), send("")}
			for i, line := range []string{"error", "", "panic", "panic", "", "goexit", "", "error", "goexit"} {
				p := send(line)
				if line != "" {
					mustEnd(t, p)
				} else if loop := loopOf(t, p); loop != i%3 {
					t.Errorf("connection %d is served by loop %d, want %d", i, loop, i%3)
				}
			}
			for i, p := range bystanders {
				if loop := loopOf(t, p); loop != i {
					t.Errorf("bystander %d is served by loop %d, want loop %d", i, loop, i)
				}
			}
			mustBe(t, "Serve", stop(), nil)
			mustBe(t, "group.Close", g.Close(), nil)
			close(told)
			n := map[*reactor.Loop]int{}
			for l := range told {
				n[l]++
			}
			for i, want := range []int{2, 1, 3} {
				if got := n[g.Loops()[i]]; got != want {
					t.Errorf("loop %d has told %d failures, want %d", i, got, want)
				}
			}
		})
	}
}

func TestOnErrorIsCalledOnTheConnectionsLoop(t *testing.T) {
	g := testkit.StartGroup(t, 3)
	told := make(chan *reactor.Loop, 3)
	address, _ := serving(t, startLoop(t), &stream.Server{
		Group:   g,
		Handler: func(context.Context, *stream.Conn) error { return errors.New("failure") },
		OnError: func(c *stream.Conn, _ error) {
			if !c.Loop().InLoop() {
				t.Error("OnError is called outside the connection's loop, want in it")
			}
			told <- c.Loop()
		},
	})
	for _, l := range g.Loops() {
		mustEnd(t, dial(t, address))
		if got := <-told; got != l {
			t.Errorf("told by loop %p, want %p", got, l)
		}
	}
}

func TestAServerOfAGroupOutOfDescriptorsRecovers(t *testing.T) {
	testkit.Guard(t)
	f := newFaulty()
	g := testkit.StartGroup(t, 2)
	address, stop := serving(t, startLoop(t, f.option()), &stream.Server{Group: g, Handler: echo})
	first := onEach(t, g, address)[1]
	f.accept(syscall.EMFILE)
	second := dial(t, address)
	ask(t, first, "served meanwhile")
	ask(t, second, "served in the end")
	mustBe(t, "Serve", stop(), nil)
}
