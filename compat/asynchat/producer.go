package asynchat

import (
	"errors"
	"fmt"
	"io"
)

// Producer gives output piece by piece. More returns the next piece, and nothing when there are no
// more. It is not called while an earlier piece is still to be sent.
//
// A Producer that is an io.Closer too is closed, once, when the Chat is done with it: after its
// last piece or its error, when the output is discarded or the handler is closed, and when what has
// taken the connection over is done with it. An error of Close is logged.
type Producer interface{ More() ([]byte, error) }

// SimpleProducer gives data in pieces of size bytes: simple_producer. It panics unless size is
// positive: with no bytes in a piece all of data would be lost. CPython's default is 512.
func SimpleProducer(data []byte, size int) Producer {
	if size <= 0 {
		panic(fmt.Sprintf("asynchat: SimpleProducer(…, %d): give a positive number of bytes for a piece", size))
	}
	return &simpleProducer{data, size}
}

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

// spent is what is left in the queue of a producer that was closed.
type spent struct{}

func (spent) More() ([]byte, error) { return nil, nil }

// closeProducer closes a producer that can be closed.
func (c *Chat) closeProducer(p Producer) {
	if err := closing(p); err != nil {
		c.LogInfo("error", fmt.Sprintf("asynchat: closing a producer %T: %v", p, err))
	}
}

func closing(p Producer) (err error) {
	closer, ok := p.(io.Closer)
	if !ok {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return closer.Close()
}

// dropProducers closes the producers in the queue. Their places stay.
func (c *Chat) dropProducers() {
	for i := range c.fifo {
		if p := c.fifo[i].producer; p != nil {
			c.fifo[i].producer = spent{}
			c.closeProducer(p)
		}
	}
}

// ErrDone is the Cause of a handler that CloseWhenDone closes: everything that was queued before
// has reached the kernel.
var ErrDone = errors.New("asynchat: close when done")
