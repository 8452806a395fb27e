//go:build linux

package stream_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// where is a handler that answers each line with the number of the loop it runs on.
func where(g *reactor.LoopGroup) stream.Handler {
	return func(ctx context.Context, c *stream.Conn) error {
		for _, err := range c.Lines(ctx) {
			if err != nil {
				return err
			}
			own, _ := reactor.FromContext(ctx)
			if !own.InLoop() || c.Loop() != own {
				return fmt.Errorf("a handler of loop %p has a connection of loop %p, want the same", own, c.Loop())
			}
			c.Printf(ctx, "%d\n", slices.Index(g.Loops(), own))
		}
		return nil
	}
}

// loopOf asks a server whose handler is where.
func loopOf(t testing.TB, p net.Conn) (loop int) {
	t.Helper()
	p.Write([]byte("\n"))
	if _, err := fmt.Fscanf(p, "%d\n", &loop); err != nil {
		t.Fatal(err)
	}
	return loop
}

// accepted counts the connections that each loop has got.
func accepted(g *reactor.LoopGroup) (n []uint64) {
	for _, l := range g.Loops() {
		n = append(n, stream.StatsOf(l).Accepted)
	}
	return n
}

func open(g *reactor.LoopGroup) (n []int) {
	for _, l := range g.Loops() {
		n = append(n, stream.StatsOf(l).Open)
	}
	return n
}

func TestRoundRobinTakesTheLoopsInTurn(t *testing.T) {
	for _, test := range []struct {
		name     string
		acceptor func(t *testing.T, g *reactor.LoopGroup) *reactor.Loop
	}{
		{"accepted on a loop of the group", func(_ *testing.T, g *reactor.LoopGroup) *reactor.Loop { return g.Loops()[0] }},
		{"accepted on another loop", func(t *testing.T, _ *reactor.LoopGroup) *reactor.Loop { return startLoop(t) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := testkit.StartGroup(t, 4)
			address, stop := serving(t, test.acceptor(t, g), &stream.Server{Handler: where(g), Group: g})
			for i := range 12 {
				if loop := loopOf(t, dial(t, address)); loop != i%4 {
					t.Errorf("connection %d is served by loop %d, want %d", i, loop, i%4)
				}
			}
			if n := accepted(g); !slices.Equal(n, []uint64{3, 3, 3, 3}) {
				t.Errorf("accepted: %v, want %v", n, []uint64{3, 3, 3, 3})
			}
			mustBe(t, "Serve", stop(), nil)
		})
	}
}

func TestLeastConnsTakesTheEmptiestLoop(t *testing.T) {
	g := testkit.StartGroup(t, 3)
	address, _ := serving(t, startLoop(t), &stream.Server{Handler: where(g), Group: g, Balance: stream.LeastConns})
	held := make([][]net.Conn, 3) // by loop
	hold := func() int {
		p := dial(t, address)
		loop := loopOf(t, p)
		held[loop] = append(held[loop], p)
		return loop
	}
	leave := func(loop, n int) {
		want := stream.StatsOf(g.Loops()[loop]).Open - n
		for _, p := range held[loop][:n] {
			p.Close()
		}
		held[loop] = held[loop][n:]
		testkit.Eventually(t, "that many open connections", func() bool { return stream.StatsOf(g.Loops()[loop]).Open == want })
	}
	for i := range 9 { // while it makes no difference, they take turns
		if loop := hold(); loop != i%3 {
			t.Errorf("connection %d is served by loop %d, want %d", i, loop, i%3)
		}
	}
	leave(1, 3)
	leave(2, 1)
	for i, want := range []int{1, 1, 2, 1, 2, 0} { // from 3, 0, 2
		if loop := hold(); loop != want {
			t.Errorf("connection %d of the second batch is served by loop %d, want %d", i, loop, want)
		}
	}
	if n := open(g); !slices.Equal(n, []int{4, 3, 4}) {
		t.Errorf("open: %v, want %v", n, []int{4, 3, 4})
	}
	for range 2 { // other connections of a loop count too
		a, b := stream.Pipe(g.Loops()[1].Context())
		defer a.Close()
		defer b.Close()
	}
	for range 4 {
		if loop := hold(); loop == 1 {
			t.Errorf("the fullest loop, %d, gets a connection, want another: open are %v", loop, open(g))
		}
	}
}

// dialFrom dials from an address of this machine.
func dialFrom(t testing.TB, source, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	p, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestSourceHashServesASourceOnOneLoop(t *testing.T) {
	g := testkit.StartGroup(t, 4)
	s := &stream.Server{Handler: where(g), Group: g, Balance: stream.SourceHash}
	address, _ := serving(t, startLoop(t), s)
	second, _ := serving(t, startLoop(t), s)
	of := map[string]int{}
	used := map[int]bool{}
	for round := range 3 {
		for i := range 16 {
			source := fmt.Sprintf("127.0.1.%d", i)
			loop := loopOf(t, dialFrom(t, source, []string{address, second}[round%2]))
			if round == 0 {
				of[source], used[loop] = loop, true
			} else if of[source] != loop {
				t.Errorf("%s is served by loop %d, want %d as before", source, loop, of[source])
			}
		}
	}
	if len(used) != 4 {
		t.Errorf("16 sources on %d loops of 4, want 4", len(used))
	}
	const gone = 2
	mustBe(t, "Close of one loop", g.Loops()[gone].Close(), nil)
	for range 2 {
		for source, was := range of {
			loop := loopOf(t, dialFrom(t, source, address))
			if was == gone {
				was = 3
			}
			if loop != was {
				t.Errorf("after the end of loop %d %s is served by loop %d, want %d", gone, source, loop, was)
			}
		}
	}
}

func TestSourceHashSpreadsTheClientsOfAUnixSocket(t *testing.T) {
	g := testkit.StartGroup(t, 3)
	path := filepath.Join(t.TempDir(), "s")
	l := startLoop(t)
	servingOn(t, l, listen(t, l, "unix", path), &stream.Server{Handler: where(g), Group: g, Balance: stream.SourceHash})
	for i := range 6 {
		p, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if loop := loopOf(t, p); loop != i%3 {
			t.Errorf("connection %d is served by loop %d, want %d", i, loop, i%3)
		}
	}
}
