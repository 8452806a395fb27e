package asyncore

import (
	"github.com/corobridge/corobridge/compat/internal/channel"
	"github.com/corobridge/corobridge/stream"
)

// DispatcherWithSend is embedded by handlers that want their output buffered: dispatcher_with_send. Initialise such a handler
// with InitWithSend or AttachWithSend.
type DispatcherWithSend struct {
	Dispatcher
	out []byte
}

// SendHandler is any struct that embeds DispatcherWithSend.
type SendHandler interface {
	Handler
	withSend() *DispatcherWithSend
}

func (d *DispatcherWithSend) withSend() *DispatcherWithSend { return d }

// InitWithSend is Init for such a handler.
func InitWithSend(h SendHandler, m *Map) {
	d := h.withSend()
	h.ClassicChannel().Init(h, m.channels(), channel.Class{
		Write:    d.initiateSend,
		Writable: func() bool { return len(d.out) > 0 },
		Output:   func(write func([]byte) error) (bool, error) { return false, write(d.out) },
	})
}

// AttachWithSend is Attach for such a handler.
func AttachWithSend(h SendHandler, c *stream.Conn, m *Map) {
	InitWithSend(h, m)
	attach(h, c)
}

// Send buffers a copy of p, and sends what there is room for.
func (d *DispatcherWithSend) Send(p []byte) error {
	d.out = append(d.out, p...)
	return d.initiateSend()
}

func (d *DispatcherWithSend) initiateSend() error {
	if !d.Connected() {
		return nil
	}
	n, err := d.Dispatcher.Send(d.out)
	d.out = d.out[n:]
	return err
}
