package asynchat

import (
	"fmt"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/stream"
)

// bufferSize is async_chat's ac_in_buffer_size and ac_out_buffer_size.
const bufferSize = 64 << 10

// Handler is a struct that embeds Chat and has these two methods. Without them it does not compile.
type Handler interface {
	asyncore.Handler
	// CollectIncomingData is given the input in pieces, as it comes. data is lent for the call. If
	// the call fails, or gives the connection away, nothing of data counts as consumed.
	CollectIncomingData(data []byte) error
	// FoundTerminator is called when what was collected is complete.
	FoundTerminator() error
}

// Chat is embedded by handlers. Without a terminator it collects everything. Its methods are called
// on the loop, or before the loop runs.
type Chat struct {
	asyncore.Dispatcher
	handler Handler
	sizes   *sizes // nil unless SetBufferSizes was called

	// Input.
	delim      []byte // the terminator, if it is bytes
	length     int    // what is left of a numeric terminator
	in         []byte // received and not delivered
	incoming   []byte // what Collect has kept
	pending    int    // delivered since the last terminator
	collecting int    // how long incoming was when the running CollectIncomingData began, plus one
	chunk      int    // how much it was given
	maxPending int
	skipping   skipping

	// Output, in order.
	fifo   []piece
	queued int // bytes in fifo
}

type sizes struct{ in, out int }

// ClassicClass is for the packages of this module.
func (c *Chat) ClassicClass(handler any) classic.Class {
	h, ok := handler.(Handler)
	if !ok {
		panic(fmt.Sprintf("asynchat: %T needs the methods CollectIncomingData(data []byte) error and FoundTerminator() error", handler))
	}
	c.handler = h
	return classic.Class{
		Read:     c.handleRead,
		Write:    c.InitiateSend,
		Writable: func() bool { return len(c.fifo) > 0 },
		Waits:    func() bool { return len(c.fifo) > 0 && c.fifo[0].last },
		Queued:   func() int { return c.queued },
		Closed:   func() { c.dropProducers() },
		Quiet:    true,
		Input:    c.leftInput,
		Output:   c.leftOutput,
	}
}

// Init is asyncore.Init for a handler that has the methods a Chat needs.
func Init(h Handler, m *asyncore.Map) { asyncore.Init(h, m) }

// Attach is asyncore.Attach for such a handler: from now on the connection is h's, and c is inert.
func Attach(h Handler, c *stream.Conn, m *asyncore.Map) { asyncore.Attach(h, c, m) }

// SetBufferSizes sets how many bytes are received, and sent, at once: ac_in_buffer_size and
// ac_out_buffer_size. The defaults are 64 KiB. It panics unless both are positive.
func (c *Chat) SetBufferSizes(in, out int) {
	if in <= 0 || out <= 0 {
		panic(fmt.Sprintf("asynchat: SetBufferSizes(%d, %d): give positive numbers of bytes", in, out))
	}
	c.sizes = &sizes{in, out}
}

func (c *Chat) bufferSizes() (in, out int) {
	if c.sizes == nil {
		return bufferSize, bufferSize
	}
	return c.sizes.in, c.sizes.out
}

// Collect keeps data until Take: _collect_incoming_data. Most handlers call it in
// CollectIncomingData.
func (c *Chat) Collect(data []byte) { c.incoming = append(c.incoming, data...) }

// Take returns what Collect has kept, and forgets it: _get_data.
func (c *Chat) Take() []byte {
	data := c.incoming
	c.incoming = nil
	return data
}

// DiscardBuffers drops input that was not delivered, and output that was not sent, including a
// pending CloseWhenDone. Producers that are dropped are closed if they have a method Close.
func (c *Chat) DiscardBuffers() {
	c.in, c.incoming = nil, nil
	c.dropProducers()
	c.fifo, c.queued = nil, 0
	c.Classic().Wake() // the end of input may be told now
}
