//go:build unix

package compat_test

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
)

// step is something that a trace's harness does.
type step func(g *game, args []any) error

var steps map[string]step

func init() { // not in its declaration, since steps look here
	steps = map[string]step{
		"send":               func(g *game, args []any) error { return g.peers[0].send(args[0]) },
		"send_to":            func(g *game, args []any) error { return g.peerOf(args[0].(string)).send(args[1]) },
		"client_send":        func(g *game, args []any) error { return g.peers[number(args[0])].send(args[1]) },
		"client_read":        (*game).clientRead,
		"peer_read":          (*game).peerRead,
		"peer_send_then_eof": (*game).sendAndEnd,
		"oob":                func(g *game, args []any) error { return g.peers[0].sendUrgent(fromLatin1(args[0])) },
		"eof":                func(g *game, _ []any) error { return g.peers[0].closeWrite() },
		"peer_close":         func(g *game, _ []any) error { return g.peers[0].leave(false) },
		"reset":              func(g *game, _ []any) error { return g.peers[0].leave(true) },
		"poll":               (*game).polls,
		"pump":               func(g *game, args []any) error { g.pump(number(args[0])); return nil },
		"do":                 (*game).do,
		"snap":               func(g *game, _ []any) error { g.record("snap", g.actors[0].state()); return nil },
		"event":              func(g *game, args []any) error { return g.actors[0].event(args[0].(string)) },
		"repr":               func(g *game, _ []any) error { g.record("repr", repr(g.actors[0].h)); return nil },
		"loop":               (*game).loop,
		"close_all":          (*game).closeAll,
		"connect":            (*game).connect,
		"wait_writable":      (*game).waitWritable,
		"accept_peer":        (*game).acceptPeer,
		"client":             (*game).clients,
		"client_ends":        (*game).clientEnds,
	}
}

// step runs a step. One that can't be understood breaks the game.
func (g *game) step(what string, args []any) (err error) {
	do := steps[what]
	if do == nil {
		return fmt.Errorf("%w step %q", errUnknown, what)
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("step %q%v: %v", what, args, v)
		}
	}()
	return do(g, args)
}

func (g *game) do(actions []any) error {
	if err := g.actors[0].act(actions); err != nil {
		name, msg := pythonError(err)
		g.record("raised", name, msg)
	}
	return nil
}

func (g *game) polls(args []any) error {
	n := 1
	if len(args) > 0 {
		n = number(args[0])
	}
	for range n {
		g.poll()
	}
	return nil
}

// loop runs asyncore's loop: for some iterations, or without a count until the map is empty.
func (g *game) loop(args []any) error {
	opts := []asyncore.LoopOption{asyncore.Timeout(0)}
	if len(args) > 0 && args[0] != nil {
		opts = append(opts, asyncore.Count(number(args[0])))
	}
	if g.trace.Config["poller"] == "poll" {
		opts = append(opts, asyncore.UsePoll())
	}
	g.escaped(asyncore.Loop(g.m, opts...))
	g.record("loop_returned", g.m.Len())
	return nil
}

func (g *game) closeAll([]any) error {
	err := asyncore.CloseAll(g.m, false)
	g.record("close_all_ok", g.m.Len())
	return err
}

func (g *game) sendAndEnd(args []any) error {
	if err := g.peers[0].send(args[0]); err != nil {
		return err
	}
	return g.peers[0].closeWrite()
}

// clientRead reads what a client has got. Some traces have an event for that.
func (g *game) clientRead(args []any) error {
	i := number(args[0])
	got := g.peers[i].read(-1)
	for _, e := range g.trace.Events {
		e := e.([]any)
		if name := e[0].(string); name != "clients" && strings.HasPrefix(name, "client") {
			if len(e) == 2 {
				g.record(name, latin1(got))
			} else {
				g.record(name, i, latin1(got))
			}
			return nil
		}
	}
	return nil
}

func (g *game) peerRead(args []any) error {
	limit := -1
	if len(args) > 0 {
		limit = number(args[0])
	}
	if got := g.peers[0].read(limit); g.shows("peer_read") {
		g.record("peer_read", latin1(got))
	}
	return nil
}

func (g *game) waitWritable([]any) error {
	g.lazy = false
	g.poll() // the attempt begins on the loop
	g.lazy = true
	return nil
}

func (g *game) acceptPeer([]any) error {
	c, err := g.ln.Accept()
	if err == nil {
		g.peers = append(g.peers, &goldenPeer{Conn: c})
	}
	return err
}

func (g *game) clients(args []any) error {
	for range number(args[0]) {
		c, err := net.DialTimeout("tcp", g.actors[0].d.Addr().String(), 10*time.Second)
		if err != nil {
			return err
		}
		g.peers = append(g.peers, &goldenPeer{Conn: c})
	}
	return nil
}

func (g *game) clientEnds([]any) error {
	var ends []any
	for _, p := range g.peers {
		p.read(-1)
		ends = append(ends, p.end())
	}
	g.record("clients", ends)
	return nil
}

func (g *game) connect([]any) error {
	a := g.actors[0]
	network, _, _ := strings.Cut(g.trace.Config["transport"].(string), "_")
	var err error
	if g.ln, err = net.Listen(network, g.address(network)); err != nil {
		return err
	}
	if g.trace.Config["refuse"] == true {
		g.ln.Close()
	}
	if err := a.d.CreateSocket(network); err != nil {
		return err
	}
	if err := a.d.Connect(g.ln.Addr().String()); err != nil {
		name, msg := pythonError(err)
		g.record("raised", name, msg)
	}
	g.record("after_connect", a.d.Connected(), a.d.Connecting())
	g.lazy = true
	return nil
}

// event calls a method of the handler, as the map would. handle_read_event and handle_write_event
// choose one by the handler's state. That of a handler which connects is known to the map alone.
func (a *actor) event(method string) error {
	listens := a.d.Accepting()
	switch {
	case method == "handle_read_event" && listens:
		method = "handle_accept"
	case method == "handle_write_event" && listens:
		return nil
	case strings.HasSuffix(method, "_event") && !a.d.Connecting():
		method = strings.TrimSuffix(method, "_event")
	}
	call := map[string]func() error{
		"handle_read": a.HandleRead, "handle_write": a.HandleWrite, "handle_close": a.HandleClose,
		"handle_connect": a.HandleConnect, "handle_accept": a.HandleAccept, "handle_expt": a.HandleExpt,
	}[method]
	if call == nil {
		return fmt.Errorf("%w event %q", errUnknown, method)
	}
	return call()
}
