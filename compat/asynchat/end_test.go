package asynchat_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classictest"
	"github.com/corobridge/corobridge/internal/testkit"
)

// newTableOver is newTable over TCP, or another network.
func newTableOver(t *testing.T, network string, set func(c *chat)) *table {
	t.Helper()
	testkit.Guard(t)
	classictest.NoFaults(t)
	m := asyncore.NewMap(asyncore.Logger(func(string, string) {}))
	conn, peer := classictest.Pair(t, m, network)
	tb := &table{t: t, m: m, c: &chat{}, peer: peer}
	set(tb.c)
	asynchat.Attach(tb.c, conn, m)
	t.Cleanup(tb.end)
	return tb
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// TestPushToAPeerThatIsGoneClosesInside: as CPython does, and whatever HandleClose does then.
func TestPushToAPeerThatIsGoneClosesInside(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, parting := range map[string]func(c *chat) error{
			"the default":              func(c *chat) error { return c.Base().HandleClose() },
			"a goodbye":                func(c *chat) error { c.PushString("221 bye\n"); return c.Close() },
			"a goodbye, and goes on":   func(c *chat) error { return c.PushString("221 bye\n") },
			"CloseWhenDone":            func(c *chat) error { c.PushString("221 bye\n"); c.CloseWhenDone(); return nil },
			"CloseWhenDone, and sends": func(c *chat) error { c.CloseWhenDone(); return c.InitiateSend() },
			"a producer": func(c *chat) error {
				return c.PushWithProducer(asynchat.SimpleProducer(make([]byte, 1000), 10))
			},
		} {
			t.Run(network+", "+name, func(t *testing.T) {
				var peer net.Conn
				tb := newTableOver(t, network, func(c *chat) {
					c.SetTerminator("\n")
					c.parting = parting
					c.found = func(c *chat, _ string) error {
						reset(peer)
						err := c.PushString("250 ok\n")
						c.note("pushed")
						return err
					}
				})
				peer = tb.peer
				if _, err := peer.Write([]byte("QUIT\n")); err != nil {
					t.Fatal(err)
				}
				for tb.m.Len() > 0 {
					testkit.Must(t, asyncore.Poll(tb.m, time.Second))
				}
				tb.want("collect QUIT", "found", "close", "pushed")
			})
		}
	}
}

func TestGoodbyeAtTheEndIsSentOnce(t *testing.T) {
	tb := newTableOver(t, "tcp", func(c *chat) {
		c.SetTerminator("\n")
		c.parting = func(c *chat) error { c.PushString("221 bye\n"); c.CloseWhenDone(); return nil }
	})
	tb.peer.(*net.TCPConn).CloseWrite()
	for tb.m.Len() > 0 {
		testkit.Must(t, asyncore.Poll(tb.m, time.Second))
	}
	tb.want("close")
	got, err := io.ReadAll(tb.peer)
	if string(got) != "221 bye\n" || err != nil {
		t.Errorf("the peer has read %q, %v; want %q and nil", got, err, "221 bye\n")
	}
}

const answer = 4 << 20

// TestHalfClosingPeerGetsTheWholeAnswer: gh-80094.
func TestHalfClosingPeerGetsTheWholeAnswer(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for name, push := range map[string]func(c *chat){
			"CloseWhenDone": func(c *chat) { c.Push(make([]byte, answer)); c.CloseWhenDone() },
			"no mark":       func(c *chat) { c.Push(make([]byte, answer)) },
			"a producer": func(c *chat) {
				c.PushWithProducer(asynchat.SimpleProducer(make([]byte, answer), 10000))
				c.CloseWhenDone()
			},
		} {
			for _, slow := range []bool{false, true} {
				t.Run(network+", "+name, func(t *testing.T) {
					tb := newTableOver(t, network, func(c *chat) {
						c.SetTerminator("\n")
						c.found = func(c *chat, _ string) error { push(c); return nil }
					})
					tb.peer.Write([]byte("GET\n"))
					tb.peer.(interface{ CloseWrite() error }).CloseWrite()
					start := make(chan struct{})
					got := make(chan int64, 1)
					go func() {
						<-start
						tb.peer.SetDeadline(time.Now().Add(time.Minute))
						n, _ := io.Copy(io.Discard, tb.peer)
						got <- n
					}()
					if slow {
						tb.poll(20)
					}
					close(start)
					for tb.m.Len() > 0 {
						testkit.Must(t, asyncore.Poll(tb.m, time.Second))
					}
					if n := <-got; n != answer {
						t.Errorf("the peer has read %d bytes, want %d", n, answer)
					}
					tb.want("collect GET", "found", "close")
				})
			}
		}
	}
}

func TestEndIsToldWhenTheOutputIsDiscarded(t *testing.T) {
	tb := newTableOver(t, "tcp", func(c *chat) { c.SetTerminator("\n") })
	tb.c.Push(make([]byte, answer))
	tb.peer.(*net.TCPConn).CloseWrite()
	tb.poll(20)
	tb.want()
	tb.c.DiscardBuffers()
	tb.poll(3)
	tb.want("close")
}

func TestCauseOfCloseWhenDone(t *testing.T) {
	for name, tt := range map[string]struct {
		lose bool
		want error
	}{"all is sent": {false, asynchat.ErrDone}, "the peer resets": {true, nil}} {
		t.Run(name, func(t *testing.T) {
			tb := newTableOver(t, "tcp", func(c *chat) { c.SetTerminator("\n") })
			got := make(chan int64, 1)
			tb.c.Push(make([]byte, answer))
			tb.c.CloseWhenDone()
			if n := tb.c.WriteBufferSize(); n == 0 || n > answer {
				t.Errorf("WriteBufferSize is %d, want from 1 to %d", n, answer)
			}
			tb.poll(5)
			tb.want() // the kernel does not have it all
			if tt.lose {
				reset(tb.peer)
				got <- 0
			} else {
				go func() { n, _ := io.Copy(io.Discard, tb.peer); got <- n }()
			}
			for tb.m.Len() > 0 {
				testkit.Must(t, asyncore.Poll(tb.m, time.Second))
			}
			<-got
			tb.want("close")
			if cause := tb.c.Cause(); errors.Is(cause, asynchat.ErrDone) == tt.lose {
				t.Errorf("Cause: %v, want %v", cause, tt.want)
			}
			if !tt.lose && tb.c.WriteBufferSize() != 0 {
				t.Errorf("WriteBufferSize is %d, want 0", tb.c.WriteBufferSize())
			}
		})
	}
}

func TestCloseWriteComesBehindTheQueue(t *testing.T) {
	tb := newTableOver(t, "tcp", func(c *chat) { c.SetTerminator("\n") })
	tb.c.Push(make([]byte, answer))
	testkit.Must(t, tb.c.CloseWrite())
	testkit.Must(t, tb.c.CloseWrite())
	got := make(chan int64, 1)
	go func() { n, _ := io.Copy(io.Discard, tb.peer); got <- n }()
	for done := false; !done; {
		testkit.Must(t, asyncore.Poll(tb.m, 10*time.Millisecond))
		select {
		case n := <-got:
			done = true
			if n != answer {
				t.Errorf("the peer has read %d bytes, want %d", n, answer)
			}
		default:
		}
	}
	tb.send("more\n")
	tb.want("collect more", "found")
	if err := tb.c.PushString("x"); err == nil {
		t.Error("Push after CloseWrite: nil, want an error")
	}
}

// closer is a producer that counts how often it is closed.
type closer struct {
	asynchat.Producer
	closed *int
}

func (c closer) Close() error { *c.closed++; return errBoom }

type failingProducer struct{}

func (failingProducer) More() ([]byte, error) { return nil, errBoom }

func TestProducerIsClosedOnceWhenTheChatIsDoneWithIt(t *testing.T) {
	stream := func() asynchat.Producer { return asynchat.SimpleProducer(make([]byte, answer), 1000) }
	for name, tt := range map[string]struct {
		producer asynchat.Producer
		do       func(tb *table)
	}{
		"at its end":       {asynchat.SimpleProducer([]byte("x"), 1), func(tb *table) { tb.poll(3) }},
		"its error":        {failingProducer{}, func(tb *table) { tb.poll(3) }},
		"DiscardBuffers":   {stream(), func(tb *table) { tb.c.DiscardBuffers() }},
		"Close":            {stream(), func(tb *table) { tb.c.Close() }},
		"Abort":            {stream(), func(tb *table) { tb.c.Abort() }},
		"the peer's reset": {stream(), func(tb *table) { reset(tb.peer); tb.poll(5) }},
		"CloseAll":         {stream(), func(tb *table) { asyncore.CloseAll(tb.m, false) }},
		"after CloseWrite": {stream(), func(tb *table) {}},
	} {
		t.Run(name, func(t *testing.T) {
			tb := newTableOver(t, "tcp", func(c *chat) { c.SetTerminator("\n") })
			closed := 0
			if name == "after CloseWrite" {
				tb.c.CloseWrite()
			}
			err := tb.c.PushWithProducer(closer{tt.producer, &closed})
			if name == "its error" {
				if !errors.Is(err, errBoom) {
					t.Errorf("PushWithProducer: %v, want %v", err, errBoom)
				}
				tb.c.Close()
			}
			tt.do(tb)
			tb.c.Close()
			if closed != 1 {
				t.Errorf("it was closed %d times, want once", closed)
			}
		})
	}
}

func TestManyProducersAreLinear(t *testing.T) {
	const many = 40000
	tb := newTableOver(t, "tcp", func(c *chat) { c.SetTerminator("\n") })
	asked := 0
	for range many {
		if err := tb.c.PushWithProducer(&counted{n: &asked}); err != nil {
			t.Fatal(err)
		}
	}
	tb.c.CloseWhenDone()
	got := make(chan int64, 1)
	go func() { n, _ := io.Copy(io.Discard, tb.peer); got <- n }()
	for tb.m.Len() > 0 {
		testkit.Must(t, asyncore.Poll(tb.m, time.Second))
	}
	if n := <-got; n != many || asked != 2*many {
		t.Errorf("the peer has read %d bytes, and More was called %d times; want %d and %d", n, asked, many, 2*many)
	}
}

// counted gives one byte.
type counted struct {
	n    *int
	done bool
}

func (c *counted) More() ([]byte, error) {
	*c.n++
	if c.done {
		return nil, nil
	}
	c.done = true
	return []byte{'x'}, nil
}

func TestSimpleProducerNeedsAPositiveSize(t *testing.T) {
	for _, size := range []int{0, -1} {
		testkit.Panics(t, "asynchat: SimpleProducer(…", func() { asynchat.SimpleProducer([]byte("data"), size) })
	}
	p := asynchat.SimpleProducer(nil, 1)
	if data, err := p.More(); len(data) > 0 || err != nil {
		t.Errorf("More of nothing: %q, %v; want nothing and nil", data, err)
	}
}

func TestHandleErrorThatFailsEndsLoopOnce(t *testing.T) {
	tb := newTableOver(t, "unix", func(c *chat) {
		c.SetTerminator("\n")
		c.SetMaxPending(1)
		c.failing = errBoom
	})
	tb.peer.Write([]byte("long\n"))
	if err := asyncore.Poll(tb.m, time.Second); !errors.Is(err, errBoom) {
		t.Errorf("Poll: %v, want %v", err, errBoom)
	}
	if want := []string{"error"}; !slices.Equal(tb.c.events, want) {
		t.Errorf("events %q, want %q", tb.c.events, want)
	}
}
