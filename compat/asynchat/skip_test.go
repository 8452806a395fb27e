package asynchat_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/asynchat"
)

// over is input with lines that are too long, for a bound of 8.
var over = []struct {
	name, delim, input string
	lines              []string // that are found
	errors             int
}{
	{"one", "\r\n", "DELETE EVERYTHING\r\nQUIT\r\n", []string{"QUIT"}, 1},
	{"at the start of a name", "\r\n", "AAAAAAAAAAAAAAAA DELETE\r\nDELETE\r\n", []string{"DELETE"}, 1},
	{"two in a row", "\r\n", "123456789\r\n1234567890\r\n12345678\r\n", []string{"12345678"}, 2},
	{"in between", "\n", "a\n123456789\nb\n", []string{"a", "b"}, 1},
	{"no end yet", "\r\n", "a\r\n123456789\r", []string{"a"}, 1},
	{"a false terminator inside", "\r\n", "1234567\r89\r\rQUIT\r\nok\r\n", []string{"ok"}, 1},
	{"a terminator of itself", "aab", "123456789aaab1aab", []string{"1"}, 1},
	{"just the bound", "\r\n", "12345678\r\n1234567\r\n", []string{"12345678", "1234567"}, 0},
	{"just the bound, and half a terminator", "\r\n", "12345678\rx\r\n", nil, 1},
	{"empty lines", "\n", "\n123456789\n\n", []string{"", ""}, 1},
}

func TestLineThatIsTooLongIsSkippedToItsEndHoweverItIsSplit(t *testing.T) {
	for _, tt := range over {
		t.Run(tt.name, func(t *testing.T) {
			tb := newTable(t, nil)
			for width := 1; width <= len(tt.input); width++ { // pieces of this size
				tb.checkSkip(tt.input, slices.Collect(chunks(tt.input, width)), tt.delim, tt.lines, tt.errors)
			}
			for at := range len(tt.input) { // two pieces, split here
				tb.checkSkip(tt.input, []string{tt.input[:at], tt.input[at:]}, tt.delim, tt.lines, tt.errors)
			}
		})
	}
}

func chunks(s string, n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			k := min(n, len(s))
			if !yield(s[:k]) {
				return
			}
			s = s[k:]
		}
	}
}

// checkSkip gives pieces to a handler whose HandleError goes on. The pieces end with a marker, to
// which everything before must have been dealt with.
func (tb *table) checkSkip(input string, pieces []string, delim string, want []string, errs int) {
	tb.t.Helper()
	var lines []string
	c := tb.c
	c.DiscardBuffers()
	c.Take()
	c.SetTerminator(delim)
	c.SetMaxPending(8)
	c.swallow, c.errs = true, nil
	c.found = func(_ *chat, line string) error { lines = append(lines, line); return nil }
	tb.send(pieces...)
	if !slices.Equal(lines, want) || len(c.errs) != errs {
		tb.t.Errorf("%q in pieces %q: lines %q and %d errors, want %q and %d", input, pieces, lines, len(c.errs), want, errs)
	}
	for _, err := range c.errs {
		if !errors.Is(err, asynchat.ErrTooMuchPending) {
			tb.t.Errorf("HandleError was given %v, want %v", err, asynchat.ErrTooMuchPending)
		}
	}
	tb.send(delim, "x", delim) // ends what is unfinished
	if len(lines) == 0 || lines[len(lines)-1] != "x" {
		tb.t.Errorf("%q in pieces %q: the line behind is %q, want %q", input, pieces, lines, "x")
	}
}

func TestLinesBehindATooLongOneDoNotWaitForMoreInput(t *testing.T) {
	tb := newTable(t, func(c *chat) {
		c.SetTerminator("\n")
		c.SetMaxPending(4)
		c.swallow = true
		c.found = func(c *chat, line string) error { return c.PushString("<" + line + ">") }
	})
	tb.send("123456\nQUIT\n") // in one piece
	tb.want("error", "collect QUIT", "found")
}

func TestDefaultOfATooLongLineIsToClose(t *testing.T) {
	tb := newTable(t, func(c *chat) { c.SetTerminator("\n"); c.SetMaxPending(4) })
	tb.send("123456\nQUIT\n")
	tb.want("error", "close")
	if !errors.Is(tb.c.Cause(), asynchat.ErrTooMuchPending) {
		t.Errorf("Cause: %v, want %v", tb.c.Cause(), asynchat.ErrTooMuchPending)
	}
}

func TestLengthOverTheBoundIsSkipped(t *testing.T) {
	for _, width := range []int{1, 2, 3, 100} {
		t.Run(fmt.Sprint("pieces of ", width), func(t *testing.T) {
			var lines []string
			tb := newTable(t, func(c *chat) {
				c.SetMaxPending(4)
				c.swallow = true
				c.SetLength(6)
				c.found = func(_ *chat, line string) error { lines = append(lines, line); return nil }
			})
			tb.send("1") // HandleError comes with the first byte
			if len(tb.c.errs) != 1 {
				t.Fatalf("%d errors, want 1", len(tb.c.errs))
			}
			tb.c.SetTerminator("\n") // for what follows
			tb.send(slices.Collect(chunks("23456ab\ncd\n", width))...)
			if want := []string{"ab", "cd"}; !slices.Equal(lines, want) {
				t.Errorf("lines %q, want %q", lines, want)
			}
		})
	}
}

func TestSkipToTerminatorInsideCollect(t *testing.T) {
	for width := 1; width < 20; width++ {
		t.Run(fmt.Sprint("pieces of ", width), func(t *testing.T) {
			var lines []string
			size := 0
			tb := newTable(t, func(c *chat) {
				c.SetTerminator("\r\n")
				c.collect = func(c *chat, data []byte) error {
					if size += len(data); size > 4 {
						c.SkipToTerminator()
						size = 0
					}
					return nil
				}
				c.found = func(_ *chat, line string) error { size = 0; lines = append(lines, line); return nil }
			})
			tb.send(slices.Collect(chunks("ab\r\n123456\r\ncd\r\n", width))...)
			want := []string{"ab", "cd"}
			// What Collect is given after SkipToTerminator, in the same call, is kept.
			for i := range lines {
				lines[i] = strings.TrimLeft(lines[i], "123456")
			}
			if !slices.Equal(lines, want) {
				t.Errorf("lines %q, want %q", lines, want)
			}
		})
	}
}
