package asynchat

import (
	"bytes"

	"github.com/corobridge/corobridge/compat/internal/classic"
)

// piece is an entry of the output queue: bytes, a producer, or the mark of CloseWhenDone. When a
// producer is at the head, data has what it gave and what was not sent yet.
type piece struct {
	data     []byte
	producer Producer
	last     bool
}

// Push queues a copy of p and sends once, as far as there is room. The rest is sent at later
// events. Before the connection is made, and after it is gone, Push only queues. If sending fails,
// HandleError is called, and Push returns its result. After a hand-over Push takes nothing and
// returns stream.ErrDetached.
func (c *Chat) Push(p []byte) error {
	if err := c.Classic().Refuses(); err != nil {
		return err
	}
	_, size := c.bufferSizes()
	if len(c.fifo) > 0 || len(p) == 0 || !c.Connected() {
		c.queue(bytes.Clone(p), size)
		return c.InitiateSend()
	}
	n, err := c.trySend(p[:min(len(p), size)]) // most output is sent at once, without a copy
	if first := min(len(p), size) - n; first > 0 {
		c.queue(bytes.Clone(p[n:n+first]), size)
	}
	if len(p) > size {
		c.queue(bytes.Clone(p[size:]), size)
	}
	c.wake()
	return err
}

// PushString is Push for a string.
func (c *Chat) PushString(s string) error { return c.Push([]byte(s)) }

// queue queues p in pieces of this size. It keeps p.
func (c *Chat) queue(p []byte, size int) {
	c.Classic().Said()
	c.queued += len(p)
	for len(p) > size {
		c.fifo = append(c.fifo, piece{data: p[:size:size]})
		p = p[size:]
	}
	c.fifo = append(c.fifo, piece{data: p})
}

// PushWithProducer queues what p gives. p is asked when everything queued before it has been sent,
// until it gives nothing. An error of its More is returned here when p is asked at once; otherwise
// it goes to HandleError. After a hand-over the error is stream.ErrDetached, as for Push.
func (c *Chat) PushWithProducer(p Producer) error {
	if err := c.Classic().Refuses(); err != nil {
		c.closeProducer(p)
		return err
	}
	c.Classic().Said()
	c.fifo = append(c.fifo, piece{producer: p})
	return c.InitiateSend()
}

// CloseWhenDone calls HandleClose when everything queued before has been sent. It never calls it
// itself: that comes at a later event. After a hand-over it does nothing.
func (c *Chat) CloseWhenDone() {
	if c.Classic().Lost() != nil {
		return
	}
	c.Classic().Said()
	c.fifo = append(c.fifo, piece{last: true})
	c.wake()
}

// Queued returns how many entries are in the output queue. A producer that has given bytes which
// are not sent yet counts as two: the bytes, and the producer.
func (c *Chat) Queued() int {
	n := len(c.fifo)
	if n > 0 && c.fifo[0].producer != nil && len(c.fifo[0].data) > 0 {
		n++
	}
	return n
}

// InitiateSend sends once, as far as there is room. It is called at every write event.
func (c *Chat) InitiateSend() error {
	if len(c.fifo) == 0 {
		return nil
	}
	defer c.Classic().Wake()
	for len(c.fifo) > 0 && c.Connected() {
		switch first := &c.fifo[0]; {
		case first.last:
			if !c.Classic().Sent() {
				return nil
			}
			c.pop()
			return c.Classic().HandleClose(ErrDone)
		case first.producer != nil && len(first.data) == 0:
			if err := c.produce(first.producer); err != nil {
				return err
			}
		case len(first.data) == 0:
			c.pop()
			return nil
		default:
			return c.sendFirst()
		}
	}
	return nil
}

// sendFirst sends some of the data of the first piece.
func (c *Chat) sendFirst() error {
	_, size := c.bufferSizes()
	data := c.fifo[0].data
	n, err := c.trySend(data[:min(len(data), size)])
	if n == 0 || len(c.fifo) == 0 { // nothing was sent, or a handler's method dropped everything
		return err
	}
	c.queued -= n
	if n == len(data) && c.fifo[0].producer == nil {
		c.pop()
	} else {
		c.fifo[0].data = data[n:]
	}
	return err
}

// trySend sends, and gives a failure to HandleError.
func (c *Chat) trySend(p []byte) (int, error) {
	n, err := c.Send(p)
	if err != nil && c.Connected() {
		err = c.Classic().HandleError(err)
	}
	return n, err
}

func (c *Chat) wake() {
	if len(c.fifo) > 0 {
		c.Classic().Wake()
	}
}

// pop removes the first piece, which has no data left.
func (c *Chat) pop() {
	c.fifo[0] = piece{}
	if c.fifo = c.fifo[1:]; len(c.fifo) == 0 {
		c.fifo = nil
	}
}

// produce asks the producer at the head for its next piece, and removes the producer when it has
// ended. One that fails stays, as in CPython, until the handler is closed.
func (c *Chat) produce(p Producer) error {
	data, err := p.More()
	switch {
	case err != nil:
		return err
	case len(c.fifo) == 0: // More has dropped everything
	case len(data) == 0:
		c.pop()
		c.closeProducer(p)
	default:
		c.fifo[0].data = bytes.Clone(data)
		c.queued += len(data)
	}
	return nil
}

// leftOutput removes and returns the queue, for a hand-over. Its producers are closed when they are
// done, and all of them when that ends.
func (c *Chat) leftOutput() classic.Drain {
	queue := c.fifo
	c.fifo, c.queued = nil, 0
	return func(write func([]byte) error) (finish bool, err error) {
		defer func() {
			for _, p := range queue {
				c.closeProducer(p.producer)
			}
		}()
		for len(queue) > 0 {
			p := queue[0]
			if p.last {
				return true, nil // nothing is sent after the mark
			}
			if err := p.drain(write); err != nil {
				return false, err
			}
			queue = queue[1:]
			c.closeProducer(p.producer)
		}
		return false, nil
	}
}

// drain passes all of a piece to write.
func (p piece) drain(write func([]byte) error) error {
	if len(p.data) > 0 || p.producer == nil {
		if err := write(p.data); err != nil || p.producer == nil {
			return err
		}
	}
	for {
		data, err := p.producer.More()
		if err != nil || len(data) == 0 {
			return err
		}
		if err := write(data); err != nil {
			return err
		}
	}
}
