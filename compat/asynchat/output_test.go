package asynchat_test

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classictest"
	"github.com/corobridge/corobridge/internal/testkit"
)

// got polls until the peer has seen the end, or n bytes.
func (tb *table) got(n int) string {
	tb.t.Helper()
	done := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(tb.peer, int64(n)))
		done <- b
	}()
	for {
		select {
		case b := <-done:
			return string(b)
		default:
			if err := asyncore.Poll(tb.m, time.Millisecond); err != nil {
				tb.t.Fatal(err)
			}
		}
	}
}

const toTheEnd = 1 << 30

// pieces is a producer of these pieces. If one of them is an error, More fails with it once.
type pieces []any

func (p *pieces) More() ([]byte, error) {
	if len(*p) == 0 {
		return nil, nil
	}
	next := (*p)[0]
	*p = (*p)[1:]
	if err, ok := next.(error); ok {
		return nil, err
	}
	return []byte(next.(string)), nil
}

func TestOutputComesInTheOrderItWasQueued(t *testing.T) {
	tb := newTable(t, nil)
	tb.c.PushString("A")
	tb.c.PushWithProducer(&pieces{"b", "c"})
	tb.c.PushString("D")
	tb.c.PushWithProducer(&pieces{})
	tb.c.PushString("")
	tb.c.PushWithProducer(asynchat.SimpleProducer([]byte("efghi"), 2))
	tb.c.PushString("J")
	tb.c.CloseWhenDone()
	if got := tb.got(toTheEnd); got != "AbcDefghiJ" {
		t.Errorf("sent %q, want %q", got, "AbcDefghiJ")
	}
	tb.want("close")
}

func TestLargePushToASlowPeerThenCloseWhenDone(t *testing.T) {
	tb := newTable(t, nil)
	var want []byte
	for i := range 1 << 17 {
		want = append(want, byte(i), byte(i>>8), byte(i>>16), ' ', 'c', 'o', 'r', 'o')
	}
	buf := slices.Clone(want)
	tb.c.Push(buf)
	clear(buf) // Push keeps a copy
	tb.c.CloseWhenDone()
	tb.poll(20)
	if tb.c.Queued() == 0 {
		t.Error("0 bytes are queued for a peer that does not read, want some")
	}
	var got []byte
	for len(got) < len(want) {
		some := tb.got(30000)
		if got = append(got, some...); some == "" {
			break
		}
	}
	if got := append(got, tb.got(toTheEnd)...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes arrived, want the %d queued, unchanged", len(got), len(want))
	}
	tb.want("close")
}

func TestSlowPeerDoesNotKeepTheLoopBusy(t *testing.T) {
	tb := newTable(t, nil)
	tb.c.Push(make([]byte, 1<<20))
	tb.poll(50)
	before := tb.m.Stats().Callbacks
	tb.poll(50)
	if n := tb.m.Stats().Callbacks - before; n > 0 {
		t.Errorf("%d calls in 50 iterations, while there is no room; want 0", n)
	}
}

func TestPushWhileThereIsNoConnectionOnlyQueues(t *testing.T) {
	testkit.Guard(t)
	c := &chat{}
	m := asyncore.NewMap()
	conn, peer := classictest.Pair(t, m, "unix")
	defer peer.Close()
	asynchat.Init(c, m)
	c.PushString("early ")
	c.PushString("bird")
	if c.Queued() != 2 {
		t.Errorf("%d entries are queued, want 2", c.Queued())
	}
	asynchat.Attach(c, conn, m)
	for range 3 {
		if err := asyncore.Poll(m, 0); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if err := c.PushString("late"); err != nil || c.Queued() != 1 {
		t.Errorf("Push after Close: %v, %d queued; want nil and 1", err, c.Queued())
	}
	if err := asyncore.CloseAll(m, false); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(peer); string(got) != "early bird" {
		t.Errorf("sent %q, want %q", got, "early bird")
	}
}

func TestProducerThatFails(t *testing.T) {
	t.Run("in push", func(t *testing.T) {
		tb := newTable(t, nil)
		if err := tb.c.PushWithProducer(&pieces{errBoom}); err != errBoom {
			t.Errorf("PushWithProducer: %v, want %v", err, errBoom)
		}
	})
	t.Run("in a write event", func(t *testing.T) {
		tb := newTable(t, nil)
		if err := tb.c.PushWithProducer(&pieces{"a", errBoom, "b"}); err != nil {
			t.Errorf("PushWithProducer: %v, want nil", err)
		}
		tb.poll(3)
		tb.want("error", "close")
		if got := tb.got(toTheEnd); got != "a" {
			t.Errorf("sent %q, want %q", got, "a")
		}
	})
}

func TestCloseWhenDone(t *testing.T) {
	t.Run("idle: at a later event", func(t *testing.T) {
		tb := newTable(t, nil)
		tb.c.CloseWhenDone()
		tb.want()
		tb.poll(1)
		tb.want("close")
	})
	t.Run("push after it reaches the mark first", func(t *testing.T) {
		tb := newTable(t, nil)
		tb.c.PushString("a")
		tb.c.CloseWhenDone()
		tb.c.PushString("b")
		tb.want("close")
		if got := tb.got(toTheEnd); got != "a" {
			t.Errorf("sent %q, want %q", got, "a")
		}
	})
	t.Run("discarded", func(t *testing.T) {
		tb := newTable(t, nil)
		tb.c.CloseWhenDone()
		tb.c.DiscardBuffers()
		tb.poll(3)
		tb.want()
	})
	t.Run("after the reply, in FoundTerminator", func(t *testing.T) {
		tb := newTable(t, delim("\n"))
		tb.c.found = func(c *chat, line string) error {
			defer c.CloseWhenDone()
			return c.PushString("<" + line + ">")
		}
		tb.send("bye\n")
		if got := tb.got(toTheEnd); got != "<bye>" {
			t.Errorf("sent %q, want %q", got, "<bye>")
		}
		tb.want("collect bye", "found", "close")
	})
}

func TestPeerGoneKeepsWhatWasNotSent(t *testing.T) {
	tb := newTable(t, nil)
	tb.peer.Close()
	tb.c.PushString("x") // outside the loop it is sent at once
	tb.want("close")
	if tb.c.Queued() != 1 {
		t.Errorf("%d entries are queued, want 1", tb.c.Queued())
	}
}

func TestWriterWhoseReadingIsOffHearsOfAReset(t *testing.T) {
	tb := newTable(t, nil)
	deaf := &deafChat{chat: chat{Chat: asynchat.Chat{}}}
	conn, peer := classictest.Pair(t, tb.m, "tcp")
	asynchat.Attach(deaf, conn, tb.m)
	deaf.Push(make([]byte, 8<<20))
	tb.poll(5)
	peer.Close()
	for len(deaf.events) == 0 {
		if err := asyncore.Poll(tb.m, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(deaf.events, []string{"close"}) || deaf.Connected() {
		t.Errorf("events %q, connected %v; want close alone and false", deaf.events, deaf.Connected())
	}
}

type deafChat struct{ chat }

func (*deafChat) Readable() bool { return false }

func TestSimpleProducer(t *testing.T) {
	for _, tt := range []struct {
		data string
		size int
		want []string
	}{
		{"", 512, []string{"", ""}}, {"abc", 512, []string{"abc", "", ""}}, {"abcdefgh", 8, []string{"abcdefgh", ""}},
		{"abcdefghi", 8, []string{"abcdefgh", "i", ""}}, {"ab", 1, []string{"a", "b", "", ""}},
	} {
		p := asynchat.SimpleProducer([]byte(tt.data), tt.size)
		for i, want := range tt.want {
			if got, err := p.More(); string(got) != want || err != nil {
				t.Errorf("SimpleProducer(%q, %d): %d is %q, %v, want %q", tt.data, tt.size, i, got, err, want)
			}
		}
	}
}
