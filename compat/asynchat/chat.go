package asynchat

import (
	"errors"
	"fmt"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/stream"
)

// bufferSize is async_chat's ac_in_buffer_size and ac_out_buffer_size.
const bufferSize = 64 << 10

// Handler is a struct that embeds Chat and defines these two, or it does not compile.
type Handler interface {
	asyncore.Handler
	// CollectIncomingData is given input, in pieces, as it comes. data is lent for the call. If the
	// call fails, or hands the connection over, nothing of data counts as consumed.
	CollectIncomingData(data []byte) error
	// FoundTerminator is told that what was collected is complete.
	FoundTerminator() error
}

// Chat is embedded by handlers. Without a terminator it collects everything. Its methods are called
// on the loop, or before that runs.
type Chat struct {
	asyncore.Dispatcher
	handler Handler
	sizes   *sizes // if SetBufferSizes was called

	// Input.
	delim      []byte // the terminator, if it is bytes
	length     int    // what is left of a numeric terminator
	in         []byte // received and not delivered
	incoming   []byte // what Collect has kept
	pending    int    // delivered since the last terminator
	collecting int    // how long incoming was when the running CollectIncomingData began, plus one
	maxPending int

	// Output, in order.
	fifo []piece
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
		Quiet:    true,
		Input:    c.leftInput,
		Output:   c.leftOutput,
	}
}

// Init makes h a handler without a connection: asyncore.Init, for a handler that has what a Chat
// needs.
func Init(h Handler, m *asyncore.Map) { asyncore.Init(h, m) }

// Attach makes h the handler of a live connection, which is h's from now on: c is inert. See
// asyncore.Attach.
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

// Collect keeps data, for a CollectIncomingData that wants just that: _collect_incoming_data.
func (c *Chat) Collect(data []byte) { c.incoming = append(c.incoming, data...) }

// Take returns what Collect has kept, and forgets it: _get_data.
func (c *Chat) Take() []byte {
	data := c.incoming
	c.incoming = nil
	return data
}

// DiscardBuffers drops input that has not been delivered and output that has not been sent, a
// pending CloseWhenDone included.
func (c *Chat) DiscardBuffers() { c.in, c.incoming, c.fifo = nil, nil, nil }

// ErrTooMuchPending is the error of a handler whose peer sends more than SetMaxPending allows without
// a terminator.
var ErrTooMuchPending = errors.New("asynchat: too much input without a terminator")
