package asyncore

import "github.com/corobridge/corobridge/compat/internal/classic"

// sendSize is how many bytes of its buffer DispatcherWithSend sends at once.
const sendSize = 64 << 10

// DispatcherWithSend is embedded by handlers that want their output buffered: dispatcher_with_send.
type DispatcherWithSend struct {
	Dispatcher
	out []byte
}

// ClassicClass is for the packages of this module.
func (d *DispatcherWithSend) ClassicClass(any) classic.Class {
	return classic.Class{
		Write:    d.initiateSend,
		Writable: func() bool { return len(d.out) > 0 },
		Queued:   func() int { return len(d.out) },
		Output:   d.takeOutput,
	}
}

// Send sends what there is room for, and keeps a copy of the rest. After a hand-over the error is
// stream.ErrDetached. It is called on the loop.
func (d *DispatcherWithSend) Send(p []byte) error {
	if err := d.Classic().Refuses(); err != nil {
		return err
	}
	if len(d.out) > 0 || !d.connected {
		d.out = append(d.out, p...)
		return d.initiateSend()
	}
	n, err := d.Dispatcher.Send(p[:min(len(p), sendSize)])
	d.out = append(d.out, p[n:]...)
	d.wake()
	return err
}

// Buffered returns how many bytes are waiting to be sent.
func (d *DispatcherWithSend) Buffered() int { return len(d.out) }

func (d *DispatcherWithSend) initiateSend() error {
	if !d.connected {
		return nil
	}
	n, err := d.Dispatcher.Send(d.out[:min(len(d.out), sendSize)])
	if d.out = d.out[n:]; len(d.out) == 0 {
		d.out = nil
	}
	d.wake()
	return err
}

func (d *DispatcherWithSend) takeOutput() classic.Drain {
	out := d.out
	d.out = nil
	return func(write func([]byte) error) (bool, error) { return false, write(out) }
}
