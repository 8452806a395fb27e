package asynchat

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/channel"
	"github.com/corobridge/corobridge/stream"
)

// bufferSize is async_chat's ac_in_buffer_size and ac_out_buffer_size.
const bufferSize = 64 << 10

// ErrTooMuchPending is the error of a handler whose peer sends more than SetMaxPending allows without a terminator.
var ErrTooMuchPending = errors.New("asynchat: too much input without a terminator")

// Handler is a struct that embeds Chat and defines these two, or it does not compile.
type Handler interface {
	asyncore.Handler
	// CollectIncomingData is given input, in pieces, as it comes. data is lent for the call.
	CollectIncomingData(data []byte) error
	// FoundTerminator is told that what was collected is complete.
	FoundTerminator() error
	chat() *Chat
}

// Chat is embedded by handlers. Without a terminator it collects everything.
type Chat struct {
	asyncore.Dispatcher
	handler Handler

	// Input.
	delim      []byte // the terminator, if it is bytes
	length     int    // what is left of a numeric terminator
	in         []byte // received and not delivered
	incoming   []byte // what Collect has kept
	pending    int    // delivered since the last terminator
	maxPending int

	// Output, in order.
	fifo []piece
}

// piece is an entry of the output queue: bytes, a producer of bytes, or the mark of CloseWhenDone.
type piece struct {
	data     []byte
	producer Producer
	last     bool
}

func (c *Chat) chat() *Chat { return c }

// Init makes h a handler without a connection. h is the outer value, so that its methods are found.
func Init(h Handler, m *asyncore.Map) {
	c := h.chat()
	c.handler = h
	asyncore.InitClass(h, m, channel.Class{
		Read:     c.handleRead,
		Write:    c.InitiateSend,
		Close:    c.Close,
		Writable: func() bool { return len(c.fifo) > 0 },
		Input:    c.leftInput,
		Output:   c.leftOutput,
	})
}

// Attach makes h the handler of a live connection, which is h's from now on: c is inert.
func Attach(h Handler, c *stream.Conn, m *asyncore.Map) {
	Init(h, m)
	asyncore.AttachClass(h, c)
}

// SetTerminator makes FoundTerminator be called at each delim, which is not delivered. The empty string means to collect everything. It takes
// effect at once, for input that has been received too, inside FoundTerminator; elsewhere at the next input.
func (c *Chat) SetTerminator(delim string) { c.delim, c.length = []byte(delim), 0 }

// SetLength makes FoundTerminator be called after n bytes. Zero means to collect everything, as it does again after those n bytes
// unless FoundTerminator sets something else. It panics if n is negative.
func (c *Chat) SetLength(n int) {
	if n < 0 {
		panic(fmt.Sprintf("asynchat: SetLength(%d): the number of received bytes must be positive", n))
	}
	c.delim, c.length = nil, n
}

// Terminator returns the delimiter, or how many bytes are left of the length; both empty for neither.
func (c *Chat) Terminator() (delim string, n int) { return string(c.delim), c.length }

// SetMaxPending bounds how much may come without a terminator; above it the handler gets ErrTooMuchPending as an error. Zero, the
// default, is no bound, as in asynchat.
func (c *Chat) SetMaxPending(n int) { c.maxPending = n }

// Pending returns how many bytes have come since the last terminator: collected, or still held back.
func (c *Chat) Pending() int { return c.pending + len(c.in) }

// Collect keeps data, for a CollectIncomingData that wants just that: _collect_incoming_data.
func (c *Chat) Collect(data []byte) { c.incoming = append(c.incoming, data...) }

// Take returns what Collect has kept, and forgets it: _get_data.
func (c *Chat) Take() []byte {
	data := c.incoming
	c.incoming = nil
	return data
}

// handleRead is async_chat.handle_read: it receives once, and delivers all that is complete.
func (c *Chat) handleRead() error {
	data, err := c.Recv(bufferSize)
	if errors.Is(err, stream.ErrWouldBlock) {
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

// parse delivers what is in c.in. Something that waits for more input stays there.
func (c *Chat) parse() error {
	for len(c.in) > 0 && c.Connected() {
		again, err := c.parseOne()
		if err != nil || !again {
			return err
		}
	}
	return nil
}

// parseOne delivers up to the next terminator, and reports whether to go on.
func (c *Chat) parseOne() (again bool, err error) {
	switch {
	case len(c.delim) > 0:
		return c.parseDelim()
	case c.length > 0:
		return c.parseLength()
	default:
		return true, c.collect(len(c.in))
	}
}

func (c *Chat) parseLength() (bool, error) {
	n := min(c.length, len(c.in))
	if err := c.collect(n); err != nil {
		return false, err
	}
	if c.length -= n; c.length > 0 || !c.Connected() {
		return true, nil
	}
	return true, c.found()
}

func (c *Chat) parseDelim() (bool, error) {
	i := bytes.Index(c.in, c.delim)
	if i < 0 {
		held := FindPrefixAtEnd(c.in, c.delim)
		return false, c.collect(len(c.in) - held)
	}
	if err := c.collect(i); err != nil {
		return false, err
	}
	if c.Connected() { // CollectIncomingData may have handed the connection over, terminator and all
		c.consume(len(c.delim))
		return true, c.found()
	}
	return false, nil
}

// collect delivers the first n bytes. They are consumed only if the handler takes them.
func (c *Chat) collect(n int) error {
	if n == 0 {
		return nil
	}
	if c.pending += n; c.maxPending > 0 && c.pending > c.maxPending {
		return fmt.Errorf("%w: %d bytes, the bound is %d", ErrTooMuchPending, c.pending, c.maxPending)
	}
	if err := c.handler.CollectIncomingData(c.in[:n:n]); err != nil {
		return err
	}
	c.consume(n)
	return nil
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

// FindPrefixAtEnd returns the length of the longest proper prefix of needle that haystack ends with.
func FindPrefixAtEnd(haystack, needle []byte) int {
	for n := min(len(needle)-1, len(haystack)); n > 0; n-- {
		if bytes.HasSuffix(haystack, needle[:n]) {
			return n
		}
	}
	return 0
}

// leftInput is what a hand-over puts back: what was collected and not terminated, and what was not delivered.
func (c *Chat) leftInput() []byte {
	left := append(c.Take(), c.in...)
	c.in, c.pending = nil, 0
	return left
}
