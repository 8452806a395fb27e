package stream

import (
	"context"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/internal/seam"
	"github.com/corobridge/corobridge/reactor"
)

// pipeCapacity is how much one direction of a Pipe holds, besides the buffers of the connections.
const pipeCapacity = 64 << 10

// Pipe returns the two ends of a connection in memory, on the loop that ctx carries. They behave as a
// connected pair of sockets, half-closes and full buffers included. Pipe panics when ctx carries no loop.
func Pipe(ctx context.Context) (a, b *Conn) {
	loop := loopOf(ctx, "Pipe")
	there, back := &half{}, &half{}
	x := newEndpoint(loop, &pipeEnd{in: back, out: there}, seam.Addr{Path: pipeName})
	y := newEndpoint(loop, &pipeEnd{in: there, out: back}, seam.Addr{Path: pipeName})
	there.from.to, there.to.to = x, y
	back.from.to, back.to.to = y, x
	return newConn(x), newConn(y)
}

// pipeEnd is the transport of one end.
type pipeEnd struct{ in, out *half }

// half is one direction: bytes on their way.
type half struct {
	mu     sync.Mutex
	data   []byte
	ended  bool // the writer is done
	broken bool // the reader is gone
	from   doorbell
	to     doorbell
}

// doorbell tells one endpoint what it has become ready for, on its loop. Rings before the loop has come to it are merged.
type doorbell struct {
	to      *endpoint
	pending reactor.Events // guarded by the half's mutex
	half    *half
}

// ring is called with the half's mutex held.
func (d *doorbell) ring(h *half, e reactor.Events) {
	first := d.pending == 0
	d.pending |= e
	d.half = h
	if first {
		d.to.loop.Post(d) // a closed loop has closed its connections
	}
}

func (d *doorbell) Run() {
	d.half.mu.Lock()
	e := d.pending
	d.pending = 0
	d.half.mu.Unlock()
	d.to.Ready(e)
}

func (p *pipeEnd) read(b []byte) (int, syscall.Errno) {
	h := p.in
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.data) == 0 {
		if h.ended {
			return 0, 0
		}
		return 0, syscall.EAGAIN
	}
	n := copy(b, h.data)
	h.data = h.data[n:]
	if len(h.data) == 0 {
		h.data = nil
	}
	h.from.ring(h, reactor.Writable)
	return n, 0
}

func (p *pipeEnd) write(b []byte) (int, syscall.Errno) {
	h := p.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken || h.ended {
		return 0, syscall.EPIPE
	}
	n := min(len(b), pipeCapacity-len(h.data))
	if n == 0 && len(b) > 0 {
		return 0, syscall.EAGAIN
	}
	h.data = append(h.data, b[:n]...)
	h.to.ring(h, reactor.Readable)
	return n, 0
}

func (p *pipeEnd) blocked(reactor.Events) {}

func (p *pipeEnd) closeWrite() syscall.Errno {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.out.ended = true
	p.out.to.ring(p.out, reactor.Readable|reactor.ReadHangup)
	return 0
}

func (p *pipeEnd) close() syscall.Errno {
	p.closeWrite()
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.broken, p.in.data = true, nil
	p.in.from.ring(p.in, reactor.Writable|reactor.Error)
	return 0
}

func (p *pipeEnd) localAddr() seam.Addr { return seam.Addr{Path: pipeName} }
