package asynchat

import (
	"bytes"
	"slices"
)

// Producer gives output piece by piece: the next one each time, and nothing when it is finished.
type Producer interface{ More() ([]byte, error) }

// SimpleProducer gives data in pieces of size bytes: simple_producer.
func SimpleProducer(data []byte, size int) Producer { return &simpleProducer{data, size} }

type simpleProducer struct {
	data []byte
	size int
}

func (p *simpleProducer) More() ([]byte, error) {
	n := min(p.size, len(p.data))
	piece := p.data[:n]
	p.data = p.data[n:]
	return piece, nil
}

// Push queues a copy of p, and sends what there is room for. Before the connection stands, and after it has gone, it only queues.
func (c *Chat) Push(p []byte) error {
	if len(c.fifo) == 0 && c.Connected() {
		n, err := c.Send(p)
		if err != nil || n == len(p) {
			return err
		}
		p = p[n:]
	}
	c.fifo = append(c.fifo, piece{data: bytes.Clone(p)})
	return nil
}

// PushString is Push for a string.
func (c *Chat) PushString(s string) error { return c.Push([]byte(s)) }

// PushWithProducer queues what p gives. p is asked when all before it has been sent, and has ended when it gives nothing. An error of its More
// is returned here or goes to HandleError, depending on when it comes.
func (c *Chat) PushWithProducer(p Producer) error {
	c.fifo = append(c.fifo, piece{producer: p})
	return c.InitiateSend()
}

// CloseWhenDone closes the handler when everything queued before has been sent, by HandleClose. It never does so itself, but
// at a later event.
func (c *Chat) CloseWhenDone() {
	c.fifo = append(c.fifo, piece{last: true})
	c.ClassicChannel().Wake()
}

// DiscardBuffers drops input that has not been delivered and output that has not been sent, a pending CloseWhenDone included.
func (c *Chat) DiscardBuffers() { c.in, c.incoming, c.fifo = nil, nil, nil }

// InitiateSend sends what there is room for. It is called at every write event.
func (c *Chat) InitiateSend() error {
	for len(c.fifo) > 0 && c.Connected() {
		first := &c.fifo[0]
		switch {
		case first.last:
			c.pop()
			return c.ClassicChannel().HandleClose()
		case first.producer != nil:
			if err := c.produce(first.producer); err != nil {
				return err
			}
		default:
			n, err := c.Send(first.data)
			if !c.Connected() || len(c.fifo) == 0 {
				return err // the peer has gone, or a handler was called that dropped everything
			}
			if c.fifo[0].data = c.fifo[0].data[n:]; len(c.fifo[0].data) == 0 {
				c.pop()
			}
			if err != nil || n == 0 {
				return err
			}
		}
	}
	return nil
}

func (c *Chat) pop() {
	c.fifo[0] = piece{}
	c.fifo = c.fifo[1:]
}

// produce puts the next piece of the producer at the head before it, or removes it if it has ended.
func (c *Chat) produce(p Producer) error {
	data, err := p.More()
	if err != nil {
		return err
	}
	if len(data) == 0 {
		c.pop()
		return nil
	}
	c.fifo = slices.Insert(c.fifo, 0, piece{data: bytes.Clone(data)})
	return nil
}

// leftOutput passes what is unsent to write, in order, and reports whether the stream is to end after it. It leaves nothing.
func (c *Chat) leftOutput(write func([]byte) error) (finish bool, err error) {
	for len(c.fifo) > 0 {
		first := c.fifo[0]
		switch {
		case first.last:
			c.fifo = nil // nothing is sent after the mark
			return true, nil
		case first.producer != nil:
			if err := c.produce(first.producer); err != nil {
				return false, err
			}
		default:
			if err := write(first.data); err != nil {
				return false, err
			}
			c.pop()
		}
	}
	return false, nil
}
