//go:build linux

package stream_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// An echo of 64 bytes, there and back: between two tasks of one loop, between a net client and a
// server of this package, and for comparison with package net on both sides.

func BenchmarkEchoPipe(b *testing.B) {
	benchTasks(b, func(ctx context.Context, l *reactor.Loop) (server, client *stream.Conn) { return stream.Pipe(ctx) })
}

func BenchmarkEchoTCPOneLoop(b *testing.B) {
	benchTasks(b, func(ctx context.Context, l *reactor.Loop) (server, client *stream.Conn) {
		return connected(b, l, "tcp", "127.0.0.1:0")
	})
}

func benchTasks(b *testing.B, open func(ctx context.Context, l *reactor.Loop) (server, client *stream.Conn)) {
	err := runTask(func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		server, client := open(ctx, l)
		task.Spawn(ctx, func(ctx context.Context) error { return echo(ctx, server) })
		p := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			client.Write(ctx, p)
			if _, err := client.ReadFull(ctx, p); err != nil {
				return err
			}
		}
		client.Close()
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkEchoTCPServer(b *testing.B) {
	l := startLoop(b)
	address, stop := serving(b, l, &stream.Server{Handler: echo})
	benchClient(b, address)
	stop()
}

func BenchmarkEchoTCPNet(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for p := make([]byte, 4096); ; {
			n, err := c.Read(p)
			if err != nil {
				return
			}
			c.Write(p[:n])
		}
	}()
	benchClient(b, ln.Addr().String())
	<-done
}

// benchClient asks over package net, so that the servers are what differs.
func benchClient(b *testing.B, address string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	p := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(p)
		if _, err := io.ReadFull(c, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadLinePipelined(b *testing.B) {
	err := runTask(func(ctx context.Context) error {
		client, server := stream.Pipe(ctx)
		lines := make([]byte, 0, 16*64)
		for range 16 {
			lines = append(append(lines, make([]byte, 63)...), '\n')
		}
		b.ReportAllocs()
		b.SetBytes(int64(len(lines)))
		for b.Loop() {
			client.Write(ctx, lines)
			for range 16 {
				if _, err := server.ReadLine(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkIdleConnection tells what an accepted connection costs that has a callback and no task.
func BenchmarkIdleConnection(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(idleHeap(b, 4000), "heap-B/conn")
	}
}

func TestAnIdleConnectionIsSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	testkit.Guard(t)
	if per := idleHeap(t, 2000); per > 300 {
		t.Errorf("%.0f bytes of heap for each connection, want at most 300", per)
	}
}

// idleHeap returns the heap for each of n connections, with registration, handle and callback.
func idleHeap(t testing.TB, n int) float64 {
	l := startLoop(t, noFaults)
	defer l.Close()
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	k, at := system(), ln.Addr().(*net.TCPAddr).AddrPort()
	clients := make([]int, 0, n) // bare descriptors, which have no heap of their own
	conns := make([]*stream.Conn, 0, n)
	before := heap()
	testkit.InTask(t, l, func(ctx context.Context) {
		for range n {
			fd, _ := k.Socket("tcp4", false)
			k.Connect(fd, addr(at))
			clients = append(clients, fd)
			c, err := ln.Accept(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			c.OnReady(func() { c.TryPeekSome() })
			conns = append(conns, c)
		}
	})
	testkit.OnLoop(t, l, func() {}) // the first events have been told
	per := float64(heap()-before) / float64(n)
	for _, c := range conns {
		if stream.HoldsMemory(c) {
			t.Error("an idle connection holds a buffer, want none")
		}
		c.Abort()
	}
	for _, fd := range clients {
		k.Close(fd)
	}
	return per
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
