package asynchat

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrTooMuchPending is the error of input that is longer than SetMaxPending allows.
var ErrTooMuchPending = errors.New("asynchat: too much input without a terminator")

// skipping is the rest of a line, or of a length, that is dropped as it comes.
type skipping struct {
	on     bool
	delim  []byte // what ends it; empty if length does
	length int    // what is still to come
}

// SetMaxPending sets how many bytes may come without the terminator, or be asked for by SetLength.
// Zero, the default, means no limit, as in CPython.
//
// If there are more, HandleError is given ErrTooMuchPending, once. By default that closes the
// handler. A HandleError that goes on may send a reply. Then the whole line is dropped, up to and
// with its terminator, however the input is split: FoundTerminator is not called for it, what
// Collect has kept of it is forgotten, and parsing goes on behind it. What a CollectIncomingData of
// its own has kept of the line, the handler forgets in HandleError.
func (c *Chat) SetMaxPending(n int) { c.maxPending = n }

// SkipToTerminator drops the rest of the line that is coming in, up to and with the terminator, or
// what is still to come of a SetLength. FoundTerminator is not called for it. What Collect has kept
// of it is forgotten. It is for a CollectIncomingData that has its own idea of what is too long.
// Without a terminator it does nothing.
func (c *Chat) SkipToTerminator() {
	if len(c.delim) == 0 && c.length == 0 {
		return
	}
	c.skipping = skipping{on: true, delim: c.delim}
	if len(c.delim) == 0 {
		c.skipping.length = c.length - min(c.chunk, c.length)
		c.length = 0
	}
	c.skipping.on = len(c.delim) > 0 || c.skipping.length > 0
	c.incoming, c.pending = nil, 0
}

// tooMuch reports whether n bytes more are too many.
func (c *Chat) tooMuch(n int) bool { return c.maxPending > 0 && c.pending+n > c.maxPending }

// overrun gives the error to HandleError, here, since what is behind the line must not wait for
// more input. It reports whether to go on.
func (c *Chat) overrun(n int) (again bool, err error) {
	err = fmt.Errorf("%w: %d bytes, the bound is %d", ErrTooMuchPending, c.pending+n, c.maxPending)
	c.SkipToTerminator()
	err = c.Classic().HandleError(err)
	return err == nil, err
}

// skip drops what has come of what is skipped.
func (c *Chat) skip() (again bool, err error) {
	s := &c.skipping
	if len(s.delim) == 0 {
		n := min(s.length, len(c.in))
		c.consume(n)
		s.length -= n
		s.on = s.length > 0
		return !s.on, nil
	}
	i := bytes.Index(c.in, s.delim)
	if i < 0 {
		c.consume(len(c.in) - FindPrefixAtEnd(c.in, s.delim))
		return false, nil
	}
	c.consume(i + len(s.delim))
	c.skipping = skipping{}
	return true, nil
}
