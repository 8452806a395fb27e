package asynchat

import (
	"bytes"
	"fmt"

	"github.com/corobridge/corobridge/stream"
)

// SetTerminator makes the Chat call FoundTerminator at each delim, which is not delivered. With the
// empty string it collects everything. Inside FoundTerminator the new terminator also holds for
// input that was received already. Elsewhere it holds from the next input on.
func (c *Chat) SetTerminator(delim string) { c.delim, c.length = []byte(delim), 0 }

// SetLength makes the Chat call FoundTerminator once n more bytes have come. Then it collects
// everything, unless FoundTerminator sets a terminator. With n = 0 it collects everything from now
// on. SetLength panics if n is negative.
func (c *Chat) SetLength(n int) {
	if n < 0 {
		panic(fmt.Sprintf("asynchat: SetLength(%d): the number of received bytes must be positive", n))
	}
	c.delim, c.length = nil, n
}

// Terminator returns the delimiter, or how many bytes of the length are still to come. When there
// is neither, both results are empty.
func (c *Chat) Terminator() (delim string, n int) { return string(c.delim), c.length }

// Pending returns how many bytes have come since the last terminator, whether they were collected
// or not yet delivered.
func (c *Chat) Pending() int { return c.pending + len(c.in) }

// Held returns a copy of the input that was received and not delivered: ac_in_buffer.
func (c *Chat) Held() []byte { return bytes.Clone(c.in) }

// handleRead is async_chat.handle_read. It receives once, and delivers everything that is complete.
func (c *Chat) handleRead() error {
	size, _ := c.bufferSizes()
	data, err := c.Recv(size)
	if err == stream.ErrWouldBlock {
		return nil
	}
	if err != nil || len(data) == 0 {
		return err
	}
	if len(c.in) > 0 {
		c.in = append(c.in, data...)
		return c.parse()
	}
	c.in = data // most input is delivered at once, without a copy
	defer func() { c.in = bytes.Clone(c.in) }()
	return c.parse()
}

// parse delivers what is in c.in. What needs more input to be complete stays there. Parsing stops
// when the handler is closed, or gives its connection away.
func (c *Chat) parse() error {
	for len(c.in) > 0 && c.serving() {
		again, err := c.parseOne()
		if err != nil || !again {
			return err
		}
	}
	return nil
}

func (c *Chat) serving() bool { return c.Classic().Serving() }

// parseOne delivers up to the next terminator, and reports whether to go on.
func (c *Chat) parseOne() (again bool, err error) {
	switch {
	case c.skipping.on:
		return c.skip()
	case len(c.delim) > 0:
		return c.parseDelim(c.delim)
	case c.length > 0:
		return c.parseLength()
	default:
		c.pending = 0
		return true, c.collect(len(c.in))
	}
}

func (c *Chat) parseLength() (bool, error) {
	n := min(c.length, len(c.in))
	last := n == c.length
	if c.tooMuch(c.length) {
		return c.overrun(c.length)
	}
	if err := c.collect(n); err != nil || !c.serving() {
		return false, err
	}
	if c.skipping.on {
		return true, nil
	}
	if !last {
		c.length = max(c.length-n, 0)
		return true, nil
	}
	c.SetLength(0)
	return true, c.found()
}

func (c *Chat) parseDelim(delim []byte) (bool, error) {
	i := bytes.Index(c.in, delim)
	n := i
	if i < 0 {
		n = len(c.in) - FindPrefixAtEnd(c.in, delim)
	}
	if c.tooMuch(n) {
		return c.overrun(n)
	}
	if err := c.collect(n); i < 0 || err != nil || !c.serving() {
		return false, err
	}
	if c.skipping.on { // up to the terminator, which is next
		return true, nil
	}
	c.consume(len(delim))
	return true, c.found()
}

// collect delivers the first n bytes. They count as consumed only if the handler does not fail.
func (c *Chat) collect(n int) error {
	if n == 0 {
		return nil
	}
	c.collecting, c.chunk = len(c.incoming)+1, n
	err := c.handler.CollectIncomingData(c.in[:n:n])
	c.collecting, c.chunk = 0, 0
	if err == nil && len(c.in) > 0 {
		c.pending += n
		c.consume(n)
	}
	if c.skipping.on {
		c.pending = 0
	}
	return err
}

func (c *Chat) consume(n int) {
	if c.in = c.in[min(n, len(c.in)):]; len(c.in) == 0 {
		c.in = nil
	}
}

func (c *Chat) found() error {
	c.pending = 0
	return c.handler.FoundTerminator()
}

// FindPrefixAtEnd returns the length of the longest prefix of needle, other than all of it, that
// haystack ends with. For an empty needle it is -1, as in CPython.
func FindPrefixAtEnd(haystack, needle []byte) int {
	if len(needle) == 0 {
		return -1
	}
	for n := min(len(needle)-1, len(haystack)); n > 0; n-- {
		if bytes.HasSuffix(haystack, needle[:n]) {
			return n
		}
	}
	return 0
}

// leftInput is what a hand-over puts back into the stream: what was collected without a terminator,
// and what was not delivered. A running length grows by as many of its delivered bytes as are put
// back, so that it again says how many bytes of the stream belong to it.
func (c *Chat) leftInput(kept []byte) []byte {
	collected := c.Take()
	if c.collecting > 0 { // inside CollectIncomingData: what that was given is still in c.in
		collected = collected[:min(len(collected), c.collecting-1)]
	}
	c.skipping = skipping{}
	left := append(append([]byte(nil), kept...), collected...)
	if c.length > 0 {
		c.length += min(len(left), c.pending)
	}
	left = append(left, c.in...)
	c.in, c.pending = nil, 0
	return left
}
