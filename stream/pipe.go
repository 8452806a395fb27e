package stream

import (
	"context"
	"net"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/reactor"
)

// pipeCapacity is how much one direction of a Pipe holds, besides the buffers of the connections.
const pipeCapacity = 64 << 10

// Pipe returns the two ends of a connection in memory, on the loop that ctx carries. They behave as a
// connected pair of sockets, half-closes and full buffers included. On a loop that is closing they are closed. Pipe panics when ctx
// carries no loop.
func Pipe(ctx context.Context) (a, b *Conn) {
	loop := loopOf(ctx, "Pipe")
	there, back := &half{starved: true}, &half{starved: true}
	x := &pipeEnd{in: back, out: there}
	y := &pipeEnd{in: there, out: back}
	there.from, there.to = doorbell{half: there, end: &x.endpoint}, doorbell{half: there, end: &y.endpoint}
	back.from, back.to = doorbell{half: back, end: &y.endpoint}, doorbell{half: back, end: &x.endpoint}
	return x.open(loop), y.open(loop)
}

// pipeEnd is one end: an endpoint and its transport.
type pipeEnd struct {
	endpoint
	in, out *half
}

// open makes a connection of the end. On a loop that is closing that is one that is closed.
func (p *pipeEnd) open(loop *reactor.Loop) *Conn {
	e := &p.endpoint
	e.transport, e.writable = p, true
	e.streams = streamsOf(loop)
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
	ended   bool // the writer is done
	broken  bool // the reader is gone
	from    doorbell
	to      doorbell
}

// doorbell tells one endpoint what it has become ready for, on its loop. Rings before the loop has come to it are merged.
type doorbell struct {
	half    *half
	end     *endpoint
	pending reactor.Events // guarded by the half's mutex
}

// ring is called with the half's mutex held.
func (d *doorbell) ring(e reactor.Events) {
	first := d.pending == 0
	d.pending |= e
	if first {
		d.end.loop().Post(d) // a closed loop has closed its connections
	}
}

func (d *doorbell) Run() {
	d.half.mu.Lock()
	e := d.pending
	d.pending = 0
	d.half.mu.Unlock()
	d.end.Ready(e)
}

func (p *pipeEnd) read(b []byte) (int, syscall.Errno) {
	h := p.in
	h.mu.Lock()
	defer h.mu.Unlock()
	n := copy(b, h.data.bytes())
	h.data.consume(p.lender(), n)
	h.starved = n < len(b)
	if h.full && n > 0 {
		h.full = false
		h.from.ring(reactor.Writable)
	}
	if n == 0 && !h.ended {
		return 0, syscall.EAGAIN
	}
	return n, 0
}

func (p *pipeEnd) write(b []byte) (int, syscall.Errno) {
	h := p.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken || h.ended {
		return 0, syscall.EPIPE
	}
	n := min(len(b), pipeCapacity-h.data.len())
	h.full = n < len(b)
	if n == 0 && h.full {
		return 0, syscall.EAGAIN
	}
	h.data.append(p.lender(), b[:n])
	if h.starved {
		h.starved = false
		h.to.ring(reactor.Readable)
	}
	return n, 0
}

func (p *pipeEnd) blocked(reactor.Events) {}

func (p *pipeEnd) closeWrite() syscall.Errno {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.out.ended = true
	p.out.to.ring(reactor.Readable | reactor.ReadHangup)
	return 0
}

func (p *pipeEnd) close() syscall.Errno {
	p.closeWrite()
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.broken = true
	p.in.data.drop(p.lender())
	p.in.from.ring(reactor.Writable | reactor.Error)
	return 0
}

func (p *pipeEnd) localAddr() net.Addr  { return pipeAddr{} }
func (p *pipeEnd) remoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
