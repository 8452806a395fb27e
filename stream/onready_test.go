//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// eachCarrier runs f for every poller and every kind of connection.
func eachCarrier(t *testing.T, f func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer)) {
	for _, poller := range poll.Kinds() {
		for _, k := range carriers {
			t.Run(fmt.Sprintf("%v/%s", poller, k.name), func(t *testing.T) {
				testkit.Guard(t)
				l := startLoop(t, reactor.WithPoller(poller))
				c, p := k.open(t, l)
				f(t, l, c, p)
			})
		}
	}
}

// frame puts the length of a message before it.
func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// frames takes all the frames that have come, and reports how that ended.
func frames(c *stream.Conn, take func(b []byte)) error {
	for {
		head, err := c.TryPeek(4)
		if err != nil {
			return err
		}
		n := 4 + int(min(binary.BigEndian.Uint32(head), 1<<30)) // also where an int has 32 bits
		b, err := c.TryPeek(n)
		if err != nil {
			return err
		}
		take(bytes.Clone(b[4:]))
		c.TryDiscard(n)
	}
}

// collect takes frames in callbacks until the connection ends.
func collect(c *stream.Conn) (got *[][]byte, ended chan error) {
	got, ended = new([][]byte), make(chan error, 1)
	c.OnReady(func() {
		err := frames(c, func(b []byte) { *got = append(*got, b) })
		if err != stream.ErrWouldBlock {
			c.OnReady(nil)
			ended <- err
		}
	})
	return got, ended
}

func TestACallbackGetsWholeFramesHoweverTheyComeIn(t *testing.T) {
	messages := [][]byte{[]byte("one"), {}, pattern(300), pattern(60_000), []byte("last")}
	var all []byte
	for _, m := range messages {
		all = append(all, frame(m)...)
	}
	for _, piece := range []int{1, 3, 7000, len(all)} {
		eachCarrier(t, func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
			var got *[][]byte
			var ended chan error
			testkit.OnLoop(t, l, func() { got, ended = collect(c) })
			for rest := all; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				p.Write(rest[:min(piece, len(rest))])
				if len(all)-len(rest) < 20 { // these come one by one; the others are merged
					testkit.OnLoop(t, l, func() {})
				}
			}
			p.CloseWrite()
			mustBe(t, "the end", <-ended, io.EOF)
			testkit.OnLoop(t, l, func() {
				if fmt.Sprint(*got) != fmt.Sprint(messages) {
					t.Errorf("%d frames in pieces of %d, want the %d sent, unchanged", len(*got), piece, len(messages))
				}
			})
		})
	}
}

// A frame that takes more reads than one call's share needs no further byte from the peer.
func TestAFrameLongerThanOneShareOfReadsIsCompleted(t *testing.T) {
	eachCarrier(t, func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
		message := pattern(12 << 20)
		var got *[][]byte
		var ended chan error
		testkit.OnLoop(t, l, func() {
			c.SetLineLimit(16 << 20)
			got, ended = collect(c)
		})
		p.Write(frame(message))
		p.CloseWrite()
		mustBe(t, "the end", <-ended, io.EOF)
		testkit.OnLoop(t, l, func() {
			if len(*got) != 1 || !bytes.Equal((*got)[0], message) {
				t.Errorf("%d frames, want the one sent, unchanged", len(*got))
			}
		})
	})
}

func TestInputThatCameBeforeOnReadyIsToldOnce(t *testing.T) {
	before := map[string]func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer){
		"unread by the transport": func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
			p.Write(frame([]byte("early")))
			testkit.Eventually(t, "the bytes", func() bool { return stream.Waiting(c) == 9 })
		},
		"buffered": func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
			p.Write(frame([]byte("early")))
			testkit.InTask(t, l, func(ctx context.Context) { c.Peek(ctx, 9) })
		},
		"put back":    func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) { c.Unread(frame([]byte("early"))) },
		"handed over": nil, // as buffered, by another handle
	}
	for name, prepare := range before {
		t.Run(name, func(t *testing.T) {
			eachCarrier(t, func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
				if prepare == nil {
					before["buffered"](t, l, c, p)
					d, err := c.Detach()
					if err != nil {
						t.Fatal(err)
					}
					defer d.Close()
					c = d
				} else {
					prepare(t, l, c, p)
				}
				testkit.OnLoop(t, l, func() {}) // events that are under way
				told := make(chan string, 1)
				testkit.OnLoop(t, l, func() {
					c.OnReady(func() {
						frames(c, func(b []byte) { told <- string(b) })
					})
					if len(told) > 0 {
						t.Error("OnReady has called its function itself, want a call soon after")
					}
				})
				if got := <-told; got != "early" {
					t.Errorf("got %q, want %q", got, "early")
				}
			})
		})
	}
}

func TestAnEndThatCameBeforeOnReadyIsTold(t *testing.T) {
	eachCarrier(t, func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
		p.CloseWrite()
		testkit.InTask(t, l, func(ctx context.Context) { c.Read(ctx, make([]byte, 1)) })
		var ended chan error
		testkit.OnLoop(t, l, func() { _, ended = collect(c) })
		mustBe(t, "the end", <-ended, io.EOF)
	})
}

func TestTryPeekLendsWhatThereIsAndTakesNothing(t *testing.T) {
	eachCarrier(t, func(t *testing.T, l *reactor.Loop, c *stream.Conn, p peer) {
		try := func(n int, want string, wantErr error) {
			t.Helper()
			testkit.OnLoop(t, l, func() {
				b, err := c.TryPeek(n)
				mustBe(t, fmt.Sprintf("TryPeek(%d)", n), err, wantErr)
				if string(b) != want {
					t.Errorf("TryPeek(%d) = %q, want %q", n, b, want)
				}
			})
		}
		try(0, "", nil)
		try(1, "", stream.ErrWouldBlock)
		p.Write([]byte("abc"))
		testkit.InTask(t, l, func(ctx context.Context) { c.Peek(ctx, 3) })
		try(2, "ab", nil)
		try(4, "", stream.ErrWouldBlock)
		try(0, "abc", nil)
		try(65<<10, "", stream.ErrLineTooLong)
		p.CloseWrite()
		testkit.InTask(t, l, func(ctx context.Context) { c.Peek(ctx, 4) })
		try(4, "abc", io.EOF)
		try(3, "abc", nil)
	})
}

// FuzzFramesInCallbacks cuts a stream of frames anywhere.
func FuzzFramesInCallbacks(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03one\x00\x00\x00\x00\x00\x00\x00\x02ab"), []byte{1, 2, 3})
	f.Add([]byte("\x00\x00\x00\x09short"), []byte{4})
	f.Add([]byte("\xff\xff\xff\xff"), []byte{})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		var want []string
		for rest := data; len(rest) >= 4; {
			n := 4 + int(min(binary.BigEndian.Uint32(rest), 1<<30)) // also where an int has 32 bits
			if n > len(rest) {
				break
			}
			want = append(want, string(rest[4:n]))
			rest = rest[n:]
		}
		l := startLoop(t)
		c, p := overPipe.open(t, l)
		var got *[][]byte
		var ended chan error
		testkit.OnLoop(t, l, func() { got, ended = collect(c) })
		for _, cut := range cuts {
			k := min(int(cut), len(data))
			p.Write(data[:k])
			data = data[k:]
			testkit.OnLoop(t, l, func() {})
		}
		p.Write(data)
		p.CloseWrite()
		if err := <-ended; err != io.EOF {
			mustBe(t, "the end", err, stream.ErrLineTooLong)
		}
		testkit.OnLoop(t, l, func() {
			if fmt.Sprintf("%s", *got) != fmt.Sprintf("%s", want) {
				t.Errorf("got %q, want %q", *got, want)
			}
		})
	})
}
