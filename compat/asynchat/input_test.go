package asynchat_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/internal/testkit"
)

// lines returns the calls that a handler got: each line, and what it collected of the last one.
func lines(found *[]string) func(c *chat, line string) error {
	return func(_ *chat, line string) error {
		*found = append(*found, line)
		return nil
	}
}

func TestTerminatorIsFoundWhereverTheInputIsSplit(t *testing.T) {
	for _, tt := range []struct {
		name, input string
		set         func(c *chat)
		want        []string
		rest        string // collected, or held back, at the end
	}{
		{"line", "ab\r\ncd\r\ne", delim("\r\n"), []string{"ab", "cd"}, "e"},
		{"empty lines", "\n\na\n\n", delim("\n"), []string{"", "", "a", ""}, ""},
		{"false prefix", "a\rb\r\r\n", delim("\r\n"), []string{"a\rb\r"}, ""},
		{"self-overlapping", "aaaaaaa", delim("aaa"), []string{"", ""}, "a"},
		{"self-overlapping prefix", "xabaabab", delim("abab"), []string{"xaba"}, ""},
		{"dots", "l\r\n.x\r\n.\r\nq", delim("\r\n.\r\n"), []string{"l\r\n.x"}, "q"},
		{"length", "abcdefgh", length(3), []string{"abc"}, "defgh"},
		{"no terminator", "ab\r\n", delim(""), nil, "ab\r\n"},
		{"zero length", "ab", length(0), nil, "ab"},
		{"binary", "\x00\xff\n\x80\n", delim("\n"), []string{"\x00\xff", "\x80"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := newTable(t, nil)
			for at := 0; at <= len(tt.input); at++ {
				var found []string
				*tb.c = chat{Chat: tb.c.Chat, found: lines(&found)}
				tb.c.DiscardBuffers()
				tt.set(tb.c)
				tb.send(tt.input[:at], tt.input[at:])
				rest := string(tb.c.Take()) + string(tb.c.Held())
				if !slices.Equal(found, tt.want) || rest != tt.rest {
					t.Errorf("split at %d: %q and %q, want %q and %q", at, found, rest, tt.want, tt.rest)
				}
			}
		})
	}
}

func delim(d string) func(*chat) { return func(c *chat) { c.SetTerminator(d) } }
func length(n int) func(*chat)   { return func(c *chat) { c.SetLength(n) } }

// script sets one terminator after the other inside FoundTerminator.
func script(next ...func(*chat)) func(c *chat, line string) error {
	return func(c *chat, _ string) error {
		if len(next) > 0 {
			next[0](c)
			next = next[1:]
		}
		return nil
	}
}

func TestTerminatorSetInsideFoundTerminatorAppliesAtOnce(t *testing.T) {
	tb := newTable(t, func(c *chat) {
		c.SetTerminator(":")
		c.found = script(length(5), delim("\r\n"), delim(""), delim("\n"))
	})
	tb.send("5:hellobye\r\nfree\nform")
	tb.want("collect 5", "found", "collect hello", "found", "collect bye", "found", "collect free\nform")
}

func TestLengthLeavesZeroUnlessSetAgain(t *testing.T) {
	tb := newTable(t, length(5))
	tb.send("hel")
	if _, n := tb.c.Terminator(); n != 2 {
		t.Errorf("%d bytes are left, want 2", n)
	}
	tb.send("loworld", "x")
	tb.want("collect hel", "collect lo", "found", "collect world", "collect x")
}

func TestTerminatorSetInsideCollectIsNotTheOneThatWasFound(t *testing.T) {
	tb := newTable(t, func(c *chat) {
		c.SetTerminator("\n")
		c.collect = func(c *chat, _ []byte) error { c.SetTerminator("--"); return nil }
	})
	tb.send("a\nb--c")
	tb.want("collect a", "found", "collect b", "found", "collect c")
}

func TestExceptionInCollectConsumesNothing(t *testing.T) {
	fail := true
	tb := newTable(t, func(c *chat) {
		c.SetTerminator("\n")
		c.swallow = true
		c.collect = func(*chat, []byte) error {
			if fail {
				fail = false
				return errBoom
			}
			return nil
		}
	})
	tb.send("hello\n")
	if got := string(tb.c.Held()); got != "hello\n" {
		t.Errorf("held is %q, want %q", got, "hello\n")
	}
	tb.send("x\n")
	tb.want("collect hello", "error", "collect hello", "found", "collect x", "found")
}

func TestExceptionInFoundConsumesTheLineOnly(t *testing.T) {
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprintf("panics %v", panics), func(t *testing.T) {
			first := true
			tb := newTable(t, func(c *chat) {
				c.SetTerminator("\n")
				c.swallow = true
				c.found = func(*chat, string) error {
					if !first {
						return nil
					}
					if first = false; panics {
						panic(errBoom)
					}
					return errBoom
				}
			})
			tb.send("a\nb\n")
			tb.want("collect a", "found", "error")
			tb.send("c\n")
			tb.want("collect a", "found", "error", "collect b", "found", "collect c", "found")
			if !errors.Is(tb.c.errs[0], errBoom) {
				t.Errorf("HandleError was given %v, want %v", tb.c.errs[0], errBoom)
			}
		})
	}
}

func TestParsingStopsWhenFoundTerminator(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(c *chat)
		want []string
		held string
	}{
		{"closes", func(c *chat) { c.Close() }, []string{"collect a", "found"}, "b\nc"},
		{"lets go", func(c *chat) { c.DelChannel() }, []string{"collect a", "found"}, "b\nc"},
		{"discards", func(c *chat) { c.DiscardBuffers() }, []string{"collect a", "found"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := newTable(t, func(c *chat) {
				c.SetTerminator("\n")
				c.found = func(c *chat, _ string) error { tt.act(c); return nil }
			})
			tb.send("a\nb\nc")
			tb.want(tt.want...)
			if got := string(tb.c.Held()); got != tt.held {
				t.Errorf("held is %q, want %q", got, tt.held)
			}
		})
	}
}

func TestEndLosesAnUnfinishedLineAndIsToldOnce(t *testing.T) {
	tb := newTable(t, delim("\r\n"))
	tb.send("abc\r")
	tb.peer.Close()
	tb.poll(3)
	tb.want("collect abc", "close")
}

func TestSetMaxPendingBoundsAnUnterminatedLine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*chat)
		input string
		fails bool
	}{
		{"short lines", delim("\n"), strings.Repeat("abcdefgh\n", 10), false},
		{"long line", delim("\n"), "abcdefghijk", true},
		{"long line with its end", delim("\n"), "abcdefghijk\n", true},
		{"a length above it", length(100), "abcdefghijk", true},
		{"collects everything", delim(""), "abcdefghijklmnop", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tb := newTable(t, func(c *chat) { tt.set(c); c.SetMaxPending(10); c.swallow = true })
			tb.send(tt.input)
			if got := len(tb.c.errs) > 0; got != tt.fails {
				t.Fatalf("errors %v, want some: %v", tb.c.errs, tt.fails)
			}
			if tt.fails && !errors.Is(tb.c.errs[0], asynchat.ErrTooMuchPending) || tb.c.Pending() > 16 {
				t.Errorf("errors %v, %d bytes pending; want ErrTooMuchPending if it fails, and at most 16", tb.c.errs, tb.c.Pending())
			}
		})
	}
}

func TestNegativeLengthPanics(t *testing.T) {
	testkit.Panics(t, "asynchat: …", func() { new(chat).SetLength(-1) })
}

func TestFindPrefixAtEnd(t *testing.T) {
	for _, tt := range []struct {
		haystack, needle string
		want             int
	}{
		{"qwerty\r", "\r\n", 1}, {"qwertydkjf", "\r\n", 0}, {"qwerty\r\n", "\r\n", 0}, {"", "\r\n", 0}, {"x", "", -1}, {"", "", -1},
		{"abc", "abc", 0}, {"xab", "abc", 2}, {"aaa", "aaaa", 3}, {"aaaaa", "aaaa", 3}, {"ab", "abab", 2}, {"\r\n.", "\r\n.\r\n", 3},
	} {
		if got := asynchat.FindPrefixAtEnd([]byte(tt.haystack), []byte(tt.needle)); got != tt.want {
			t.Errorf("FindPrefixAtEnd(%q, %q) = %d, want %d", tt.haystack, tt.needle, got, tt.want)
		}
	}
}

// FuzzSplits gives a handler that switches between terminators its input in pieces. It compares the
// result with a model that has all of the input at once.
func FuzzSplits(f *testing.F) {
	f.Add([]byte("ab\r\ncd"), []byte{2, 1, 1}, uint8(0))
	f.Add([]byte("aaaaabaaabab"), []byte{3}, uint8(1))
	f.Add([]byte("12345\r\n\r\n678"), []byte{1}, uint8(2))
	kinds := []func(*chat){delim("\r\n"), delim("aab"), length(3), delim("a"), length(1), delim("\r\n.\r\n")}
	shared := newTable(f, nil)
	f.Fuzz(func(t *testing.T, input, cuts []byte, first uint8) {
		tb := *shared
		tb.t = t
		if len(input) > 4096 {
			return
		}
		var found []string
		*tb.c = chat{Chat: tb.c.Chat}
		tb.c.DiscardBuffers()
		k := int(first)
		tb.c.found = func(c *chat, line string) error {
			found = append(found, line)
			k++
			kinds[k%len(kinds)](c)
			return nil
		}
		kinds[k%len(kinds)](tb.c)
		for rest, i := input, 0; len(rest) > 0; i++ {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, int(cuts[i%len(cuts)])+1)
			}
			tb.send(string(rest[:n]))
			rest = rest[n:]
		}
		want, rest := model(input, int(first))
		if got := append(tb.c.Take(), tb.c.Held()...); !slices.Equal(found, want) || !bytes.Equal(got, rest) {
			t.Errorf("found %q and %q, want %q and %q", found, got, want, rest)
		}
	})
}

// model is what the handler of FuzzSplits must find.
func model(input []byte, k int) (found []string, rest []byte) {
	delims := []string{"\r\n", "aab", "", "a", "", "\r\n.\r\n"}
	lengths := []int{0, 0, 3, 0, 1, 0}
	for ; ; k++ {
		d, n := delims[k%len(delims)], lengths[k%len(delims)]
		switch i := bytes.Index(input, []byte(d)); {
		case d == "" && len(input) >= n:
			found, input = append(found, string(input[:n])), input[n:]
		case d != "" && i >= 0:
			found, input = append(found, string(input[:i])), input[i+len(d):]
		default:
			return found, input
		}
	}
}
