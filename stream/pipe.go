package stream

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/reactor"
)

// pipeCapacity is how much one direction of a Pipe holds, besides the buffers of the connections.
const pipeCapacity = 64 << 10

// Pipe returns the two ends of a connection in memory, on the loop that ctx carries. They behave as
// a connected pair of sockets, half-closes and full buffers included. On a loop that is closing
// they are closed. Pipe panics when ctx carries no loop.
func Pipe(ctx context.Context) (a, b *Conn) {
	loop := loopOf(ctx, "Pipe")
	there, back := &half{starved: true}, &half{starved: true}
	x, y := newPipeEnd(loop, back, there), newPipeEnd(loop, there, back)
	there.from, there.to = doorbell{half: there, end: &x.endpoint}, doorbell{half: there, end: &y.endpoint}
	back.from, back.to = doorbell{half: back, end: &y.endpoint}, doorbell{half: back, end: &x.endpoint}
	return x.open(), y.open()
}

// pipeEnd is one end: an endpoint and its transport.
type pipeEnd struct {
	endpoint
	in, out *half
}

func newPipeEnd(loop *reactor.Loop, in, out *half) *pipeEnd {
	p := &pipeEnd{in: in, out: out}
	p.transport, p.streams, p.mayWrite = p, streamsOf(loop), true
	return p
}

// open makes a connection of the end, which the loop may close from then on. So both ends have to
// be made before the first is opened. On a loop that is closing the connection is a closed one.
func (p *pipeEnd) open() *Conn {
	e := &p.endpoint
	e.lock() // the other end may tell it something already
	defer e.unlock()
	if e.streams.add(e) != nil {
		e.closing, e.closed = true, true
	}
	return newConn(e)
}

// half is one direction: bytes on their way.
type half struct {
	mu      sync.Mutex
	data    buffer
	full    bool // the writer has seen it full
	starved bool // the reader has seen it empty
	ended   bool // the writer is done …
	reset   bool // … and has dropped bytes
	broken  bool // the reader is gone
	from    doorbell
	to      doorbell
}

// doorbell tells one endpoint what it has become ready for, on its loop. Rings before the loop has
// come to it are merged.
type doorbell struct {
	half    *half
	end     *endpoint
	pending [2]bool // directions, guarded by the half's mutex
}

// ring is called with the half's mutex held.
func (d *doorbell) ring(dir direction) {
	first := d.pending == [2]bool{}
	d.pending[dir] = true
	if first {
		d.end.core().Post(d) // a closed loop has closed its connections
	}
}

func (d *doorbell) Run() {
	d.half.mu.Lock()
	now := d.pending
	d.pending = [2]bool{}
	d.half.mu.Unlock()
	d.end.lock()
	d.end.ready(now[inward], now[outward])
}

func (p *pipeEnd) read(b []byte) (n int, more bool, err error) {
	h := p.in
	h.mu.Lock()
	defer h.mu.Unlock()
	n = copy(b, h.data.bytes())
	h.data.consume(p.lender(), n)
	h.starved = n < len(b)
	if h.full && n > 0 {
		h.full = false
		h.from.ring(outward)
	}
	switch {
	case n > 0:
	case h.reset:
		return 0, false, sysError("read", syscall.ECONNRESET)
	case h.ended:
		return 0, false, io.EOF
	}
	return n, n > 0 && (!h.starved || h.ended), nil
}

func (p *pipeEnd) write(b []byte) (n int, more bool, err error) {
	h := p.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken || h.ended {
		return 0, false, sysError("write", syscall.EPIPE)
	}
	n = min(len(b), pipeCapacity-h.data.len())
	h.full = n < len(b)
	if n == 0 {
		return 0, false, nil
	}
	h.data.append(p.lender(), b[:n])
	if h.starved {
		h.starved = false
		h.to.ring(inward)
	}
	return n, !h.full, nil
}

func (p *pipeEnd) flush() (pending bool, err error) { return false, nil }

func (p *pipeEnd) closeWrite() error {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.out.ended = true
	p.out.to.ring(inward)
	return nil
}

func (p *pipeEnd) undelivered() int {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	return p.out.data.len()
}

// close resets the peer, as TCP does, also when there is input that nobody has read.
func (p *pipeEnd) close(reset bool) error {
	p.in.mu.Lock()
	reset = reset || p.in.data.len() > 0
	p.in.broken = true
	p.in.data.drop(p.lender())
	p.in.from.ring(outward)
	p.in.mu.Unlock()
	p.out.mu.Lock()
	p.out.reset = reset
	p.out.mu.Unlock()
	return p.closeWrite()
}

func (p *pipeEnd) localAddr() net.Addr  { return pipeAddr{} }
func (p *pipeEnd) remoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
