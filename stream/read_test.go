//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// reads is what is read from input, until its end, however it is split; each returns a transcript.
var reads = []struct {
	name, input, want string
	run               func(ctx context.Context, c *stream.Conn) string
}{

	{"Read", "abcdef", `"abcdef" EOF`, func(ctx context.Context, c *stream.Conn) string {
		var all []byte
		for p := make([]byte, 4); ; {
			n, err := c.Read(ctx, p)
			all = append(all, p[:n]...)
			if err != nil || n == 0 {
				return fmt.Sprintf("%q %v", all, err)
			}
		}
	}},
	{"Read into a large buffer", "abcdef", `"abcdef" EOF`, func(ctx context.Context, c *stream.Conn) string {
		var all []byte
		for p := make([]byte, 8192); ; {
			n, err := c.Read(ctx, p)
			all = append(all, p[:n]...)
			if err != nil || n == 0 {
				return fmt.Sprintf("%q %v", all, err)
			}
		}
	}},
	{"ReadFull", "abcdefgh", `"abc" <nil> "def" <nil> "gh" unexpected EOF "" EOF`, func(ctx context.Context, c *stream.Conn) (s string) {
		for {
			p := make([]byte, 3)
			n, err := c.ReadFull(ctx, p)
			s += fmt.Sprintf("%q %v", p[:n], err)
			if err == io.EOF {
				return s
			}
			s += " "
		}
	}},
	{"ReadLine", "ab\r\n\nc\rd\n\r\nlast\r", `"ab" <nil> "" <nil> "c\rd" <nil> "" <nil> "last" unexpected EOF "" EOF`,
		func(ctx context.Context, c *stream.Conn) (s string) {
			for {
				line, err := c.ReadLine(ctx)
				s += fmt.Sprintf("%q %v", line, err)
				if err == io.EOF {
					return s
				}
				s += " "
			}
		}},
	{"ReadUntil", "a--b---->c->->", `"a--b---->" <nil> "c->->" unexpected EOF "" EOF`, func(ctx context.Context, c *stream.Conn) (s string) {
		for {
			line, err := c.ReadUntil(ctx, []byte("---->"))
			s += fmt.Sprintf("%q %v", line, err)
			if err == io.EOF {
				return s
			}
			s += " "
		}
	}},
	{"Lines", "a\nbb\r\nccc", `[a bb ccc] <nil>`, func(ctx context.Context, c *stream.Conn) string {
		var lines []string
		var last error
		for line, err := range c.Lines(ctx) {
			if last = err; err == nil {
				lines = append(lines, line)
			}
		}
		return fmt.Sprint(lines, last)
	}},
	{"Peek", "abcdefg", `"abc" <nil> "abcde" <nil> 3 <nil> "defg" <nil> "defg" EOF 4 EOF`, func(ctx context.Context, c *stream.Conn) string {
		var s []string
		peek := func(n int) {
			p, err := c.Peek(ctx, n)
			s = append(s, fmt.Sprintf("%q %v", p, err))
		}
		discard := func(n int) {
			n, err := c.Discard(ctx, n)
			s = append(s, fmt.Sprintf("%d %v", n, err))
		}
		peek(3)
		peek(5)
		discard(3)
		peek(4)
		peek(5)
		discard(9)
		return strings.Join(s, " ")
	}},
	{"PeekSome", "abcdefg", `"abcdefg" EOF`, func(ctx context.Context, c *stream.Conn) string {
		var all []byte
		for {
			p, err := c.PeekSome(ctx)
			if err != nil {
				return fmt.Sprintf("%q %v", all, err)
			}
			all = append(all, p...)
			if n, err := c.TryDiscard(len(p)); n != len(p) || err != nil {
				return fmt.Sprint("TryDiscard: ", n, err)
			}
		}
	}},
	{"Unread", "abcdef", `"abc" "zz" "cdef" EOF`, func(ctx context.Context, c *stream.Conn) string {
		p := make([]byte, 8)
		n, _ := c.ReadFull(ctx, p[:3])
		first := string(p[:n])
		c.Unread(p[2:3])
		c.Unread([]byte("zz"))
		n, _ = c.ReadFull(ctx, p[:2])
		second := string(p[:n])
		rest, err := readAll(ctx, c)
		return fmt.Sprintf("%q %q %q %v", first, second, rest, err)
	}},
	{"Unread after the end", "a", `"a" EOF "b" "c" EOF`, func(ctx context.Context, c *stream.Conn) string {
		all, err := readAll(ctx, c)
		c.Unread([]byte("b"))
		p, e := c.TryPeekSome()
		if e != nil {
			return e.Error()
		}
		lent := string(p)
		c.TryDiscard(1)
		c.Unread([]byte("c"))
		rest, e := readAll(ctx, c)
		return fmt.Sprintf("%q %v %q %q %v", all, err, lent, rest, e)
	}},
	{"a line, then bytes", "3\nabcrest", `"3" "abc" "rest" EOF`, func(ctx context.Context, c *stream.Conn) string {
		line, _ := c.ReadLine(ctx)
		p := make([]byte, 3)
		c.ReadFull(ctx, p)
		rest, err := readAll(ctx, c)
		return fmt.Sprintf("%q %q %q %v", line, p, rest, err)
	}},
	{"a line over the limit", "abc\nabcd\nx", `"abc" <nil> "" over "abcd\nx" EOF`, func(ctx context.Context, c *stream.Conn) string {
		c.SetLineLimit(3)
		line, err := c.ReadLine(ctx)
		s := fmt.Sprintf("%q %v", line, err)
		line, err = c.ReadLine(ctx)
		rest, e := readAll(ctx, c)
		return fmt.Sprintf("%s %q %v %q %v", s, line, over(err), rest, e)
	}},
	{"an unfinished line of the limit", "abc", `"abc" unexpected EOF`, func(ctx context.Context, c *stream.Conn) string {
		c.SetLineLimit(3)
		line, err := c.ReadLine(ctx)
		return fmt.Sprintf("%q %v", line, err)
	}},
	{"a long delimiter after the limit", "abc--\nabcd--\n", `"abc--\n" <nil> "" over "abcd--\n" EOF`, func(ctx context.Context, c *stream.Conn) string {
		c.SetLineLimit(3)
		line, err := c.ReadUntil(ctx, []byte("--\n"))
		s := fmt.Sprintf("%q %v", line, err)
		line, err = c.ReadUntil(ctx, []byte("--\n"))
		rest, e := readAll(ctx, c)
		return fmt.Sprintf("%s %q %v %q %v", s, line, over(err), rest, e)
	}},
	{"Peek over the limit", "abcd", `"" over "abcd" EOF`, func(ctx context.Context, c *stream.Conn) string {
		c.SetLineLimit(3)
		p, err := c.Peek(ctx, 4)
		rest, e := readAll(ctx, c)
		return fmt.Sprintf("%q %v %q %v", p, over(err), rest, e)
	}},
}

func over(err error) string {
	if errors.Is(err, stream.ErrLineTooLong) {
		return "over"
	}
	return fmt.Sprint(err)
}

func readAll(ctx context.Context, c *stream.Conn) ([]byte, error) {
	var all []byte
	for p := make([]byte, 4096); ; {
		n, err := c.Read(ctx, p)
		all = append(all, p[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// feed sends the parts, each when the connection's reader waits for more, and then the end.
func feed(t testing.TB, c *stream.Conn, p peer, parts ...string) (wait func()) {
	return in(t, func() {
		for _, part := range parts {
			if part == "" {
				continue
			}
			testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(c) })
			if _, err := p.Write([]byte(part)); err != nil {
				t.Errorf("peer: %v, want nil", err)
			}
		}
		p.CloseWrite()
	})
}

func TestReadingDoesNotDependOnHowTheInputIsSplit(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		for _, r := range reads {
			try := func(parts ...string) {
				c, p := w.open(t, w.loop)
				wait := feed(t, c, p, parts...)
				var got string
				w.run(func(ctx context.Context) { got = r.run(ctx, c) })
				wait()
				if got != r.want {
					t.Errorf("%s of %q = %s, want %s", r.name, parts, got, r.want)
				}
				if stream.HoldsMemory(c) && r.name != "an unfinished line of the limit" {
					t.Errorf("%s of %q: the connection holds a buffer, want none", r.name, parts)
				}
				c.Abort()
				p.Close()
			}
			for i := range len(r.input) {
				try(r.input[:i], r.input[i:])
			}
			try(strings.Split(r.input, "")...)
		}
	})
}

func TestALongLine(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		for _, n := range []int{511, 512, 4095, 16383, 16384, 16385, 65535, 65536, 300_000} {
			line := strings.Repeat("x", n-1) + "y"
			c, p := w.open(t, w.loop)
			c.SetLineLimit(n)
			wait := in(t, func() {
				p.Write([]byte(line + "\n" + line + "z\n"))
				p.CloseWrite()
			})
			w.run(func(ctx context.Context) {
				got, err := c.ReadLine(ctx)
				if got != line || err != nil {
					t.Errorf("%d: ReadLine = %d bytes, %v; want %d and nil", n, len(got), err, len(line))
				}
				for range 2 {
					_, err = c.ReadLine(ctx)
					mustBe(t, "a longer one", err, stream.ErrLineTooLong)
				}
				all, err := readAll(ctx, c)
				if string(all) != line+"z\n" || err != io.EOF {
					t.Errorf("%d: after ErrLineTooLong %d bytes are left, %v; want %d and EOF", n, len(all), err, len(line)+2)
				}
			})
			wait()
			c.Abort()
			p.Close()
		}
	})
}

func TestTheDefaultLineLimit(t *testing.T) {
	l := startLoop(t)
	a, b := stream.Pipe(l.Context())
	testkit.InTask(t, l, func(ctx context.Context) {
		line := strings.Repeat("x", 64<<10)
		sent := in(t, func() { b.Write(context.Background(), []byte(line+"\n"+line+"x\n")) })
		got, err := a.ReadLine(ctx)
		if len(got) != len(line) || err != nil {
			t.Errorf("%d bytes, %v; want %d and nil", len(got), err, len(line))
		}
		_, err = a.ReadLine(ctx)
		mustBe(t, "65537 bytes", err, stream.ErrLineTooLong)
		a.Discard(ctx, len(line)+2)
		sent()
	})
}

// Each reader gets one whole line, in the order the readers came.
func TestReadersTakeTurns(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		const n = 8
		got := make([]string, n)
		var waits []func()
		for i := range n {
			waits = append(waits, in(t, func() {
				w.run(func(ctx context.Context) { got[i], _ = c.ReadLine(ctx) })
			}))
			testkit.Eventually(t, "one more reader in the queue, behind one that waits", func() bool { q, _ := stream.Queued(c); return q == i && stream.ReaderWaits(c) })
		}
		var all string
		for i := range n {
			all += fmt.Sprintf("line %d\n", i)
		}
		for _, b := range []byte(all) {
			p.Write([]byte{b})
		}
		for i, wait := range waits {
			wait()
			if want := fmt.Sprintf("line %d", i); got[i] != want {
				t.Errorf("reader %d got %q, want %q", i, got[i], want)
			}
		}
	})
}

func TestMisuseOfReadingPanics(t *testing.T) {
	l := startLoop(t)
	a, _ := stream.Pipe(l.Context())
	ctx := context.Background()
	for name, f := range map[string]func(){
		"SetLineLimit": func() { a.SetLineLimit(0) },
		"ReadUntil":    func() { a.ReadUntil(ctx, nil) },
		"Discard":      func() { a.Discard(ctx, -1) },
		"TryDiscard":   func() { a.TryDiscard(-1) },
		"Peek":         func() { a.Peek(ctx, -1) },
		"no loop":      func() { stream.Pipe(ctx) },
	} {
		t.Run(name, func(t *testing.T) { testkit.Panics(t, "stream: …", f) })
	}
}

// FuzzReadUntil compares the reader with bytes.Index, for any input, delimiter, limit and split.
func FuzzReadUntil(f *testing.F) {
	f.Add([]byte("a\nbb\nccc"), []byte("\n"), uint16(0), uint8(1))
	f.Add([]byte("a\r\nb\r\r\n"), []byte("\r\n"), uint16(2), uint8(2))
	f.Add([]byte("aaaaab aaab"), []byte("aab"), uint16(3), uint8(3))
	f.Add(bytes.Repeat([]byte("xyz"), 12000), []byte("zx"), uint16(0), uint8(255))
	f.Fuzz(func(t *testing.T, input, delim []byte, limit uint16, piece uint8) {
		if len(delim) == 0 || len(input) > 60000 {
			t.Skip()
		}
		err := runTask(func(ctx context.Context) error {
			a, b := stream.Pipe(ctx)
			defer a.Abort()
			max := 64 << 10
			if limit > 0 {
				max = int(limit)
				a.SetLineLimit(max)
			}
			task.Spawn(ctx, func(ctx context.Context) error {
				defer b.Close()
				for p := input; len(p) > 0; {
					n := min(int(piece)+1, len(p))
					b.Write(ctx, p[:n])
					b.Flush(ctx)
					task.Yield(ctx)
					p = p[n:]
				}
				return nil
			})
			for rest := input; ; {
				got, err := a.ReadUntil(ctx, delim)
				at := bytes.Index(rest, delim)
				switch {
				case at > max || at < 0 && len(rest)-len(delim)+1 > max:
					if !errors.Is(err, stream.ErrLineTooLong) || got != nil {
						return fmt.Errorf("%q, %v; want nothing and ErrLineTooLong", got, err)
					}
					all, _ := readAll(ctx, a)
					if !bytes.Equal(all, rest) {
						return fmt.Errorf("%q is left, want %q", all, rest)
					}
					return nil
				case at >= 0:
					if err != nil || !bytes.Equal(got, rest[:at+len(delim)]) {
						return fmt.Errorf("%q, %v; want %q and nil", got, err, rest[:at+len(delim)])
					}
					rest = rest[at+len(delim):]
				case len(rest) > 0:
					if err != io.ErrUnexpectedEOF || !bytes.Equal(got, rest) {
						return fmt.Errorf("%q, %v at the end; want %q and ErrUnexpectedEOF", got, err, rest)
					}
					rest = nil
				default:
					if err != io.EOF || got != nil {
						return fmt.Errorf("%q, %v after the end; want nothing and EOF", got, err)
					}
					return nil
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}
