//go:build unix

package compat_test

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

// game is the replay of one trace: its handlers in a map, their peers, and the record.
type game struct {
	t      *testing.T
	trace  trace
	m      *asyncore.Map
	actors []*actor
	peers  []*goldenPeer
	spare  []*stream.Conn
	ln     net.Listener
	events []any
	lazy   bool // a Connect is under way: the next poll lasts until something is recorded
	logs   bool
	broken error // why the trace can't be played
}

// goldenPeer is the other end of a handler's connection.
type goldenPeer struct {
	net.Conn
	got    []byte
	closed bool
	ended  string // what it saw last
}

func replay(t *testing.T, tr trace) (got trace, err error) {
	if err := tr.understood(); err != nil {
		return got, err
	}
	g := &game{t: t, trace: tr}
	g.logs = g.shows("log")
	g.m = asyncore.NewMap(asyncore.Logger(g.log))
	defer g.end()
	if err := g.setUp(); err != nil {
		return got, err
	}
	for _, s := range tr.Steps {
		if err := g.step(s[0].(string), s[1:]); err != nil || g.broken != nil {
			return got, errors.Join(err, g.broken)
		}
	}
	return g.result(), nil
}

// breaks notes why the trace can't be played. It is called in callbacks too, whose errors would go
// to the handlers.
func (g *game) breaks(err error) {
	if g.broken == nil {
		g.broken = err
	}
}

func (g *game) end() {
	g.logs = false
	for _, a := range g.actors {
		a.d.Close() // also those that have left the map
	}
	if err := asyncore.CloseAll(g.m, false); err != nil {
		g.t.Error(err)
	}
	for _, p := range g.peers {
		p.Close()
	}
	if g.ln != nil {
		g.ln.Close()
	}
}

func (g *game) setUp() error {
	switch kind := g.trace.Config["kind"]; kind {
	case "async_chat", "dispatcher", "dispatcher_with_send":
	default:
		return fmt.Errorf("%w kind %v", errUnknown, kind)
	}
	switch transport := g.trace.Config["transport"]; transport {
	case "unix", "tcp":
		a := g.addActor("")
		asyncore.Attach(a.h, g.pair(transport.(string)), g.m)
	case "multi":
		names := g.trace.Config["names"].([]any)
		for range len(names) + 1 {
			g.spare = append(g.spare, g.pair("unix"))
		}
		for _, name := range names {
			g.attachSpare(name.(string))
		}
	case "tcp_client", "unix_client":
		a := g.addActor("")
		asyncore.Init(a.h, g.m)
	case "tcp_server":
		a := g.addActor("")
		asyncore.Init(a.h, g.m)
		g.must(a.d.CreateSocket("tcp"))
		g.must(a.d.Bind("127.0.0.1:0"))
		return a.d.Listen(5)
	default:
		return fmt.Errorf("%w transport %v", errUnknown, transport)
	}
	return nil
}

func (g *game) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *game) addActor(prefix string) *actor {
	a := newActor(g, prefix, g.trace.Config["kind"])
	g.actors = append(g.actors, a)
	return a
}

// attachSpare makes a handler with this name for one of the pairs.
func (g *game) attachSpare(name string) {
	c := g.spare[0]
	g.spare = g.spare[1:]
	asyncore.Attach(g.addActor(name+".").h, c, g.m)
}

// acceptor is a classic listener that keeps one connection.
type acceptor struct {
	asyncore.Dispatcher
	got *stream.Conn
}

func (l *acceptor) HandleAccepted(c *stream.Conn, _ net.Addr) error { l.got = c; return nil }

// pair connects a peer through a classic listener on the map's loop. It polls that loop; the map
// has no handlers of the trace yet.
func (g *game) pair(network string) *stream.Conn {
	l := &acceptor{}
	asyncore.Init(l, g.m)
	g.must(l.CreateSocket(network))
	g.must(l.Bind(g.address(network)))
	g.must(l.Listen(1))
	c, err := net.Dial(network, l.Addr().String())
	g.must(err)
	g.peers = append(g.peers, &goldenPeer{Conn: c})
	for l.got == nil {
		g.must(asyncore.Poll(g.m, time.Second))
	}
	l.Close()
	return l.got
}

func (g *game) address(network string) string {
	if network == "unix" {
		return filepath.Join(g.t.TempDir(), "s")
	}
	return "127.0.0.1:0"
}

func (g *game) record(name string, args ...any) {
	g.events = append(g.events, append([]any{name}, args...))
}

func (g *game) log(kind, msg string) {
	if g.logs {
		msg = strings.Replace(msg, "uncaptured error, closing channel", "uncaptured python exception, closing channel", 1)
		msg, _, _ = strings.Cut(msg, " *compat")
		g.record("log", kind, msg)
	}
}

// find returns the handler of a name, nil if there is none.
func (g *game) find(name string) *actor {
	for _, a := range g.actors {
		if a.prefix == name+"." {
			return a
		}
	}
	return nil
}

func (g *game) named(name string) *actor {
	if a := g.find(name); a != nil {
		return a
	}
	panic(fmt.Sprintf("no handler is named %q", name))
}

// peerOf returns the peer of a handler that was there from the beginning.
func (g *game) peerOf(name string) *goldenPeer {
	return g.peers[slices.Index(g.actors, g.named(name))]
}

// shows reports whether the trace has events of a name.
func (g *game) shows(name string) bool {
	return slices.ContainsFunc(g.trace.Events, func(e any) bool { return e.([]any)[0] == name })
}

func (g *game) scripted(key string) bool { _, ok := g.trace.Config[key]; return ok }

func (g *game) overridden(method string) bool {
	over, _ := g.trace.Config["over"].([]any)
	return slices.Contains(over, any(method))
}

// poll is one iteration. After a Connect it repeats, at most 20 times, until something is recorded.
func (g *game) poll() {
	before := len(g.events)
	for i := 0; i == 0 || g.lazy && i < 20 && len(g.events) == before; i++ {
		timeout := time.Duration(0)
		if g.lazy && i > 2 {
			timeout = 10 * time.Millisecond
		}
		turn := asyncore.Poll
		if g.trace.Config["poller"] == "poll" {
			turn = asyncore.Poll2
		}
		g.escaped(turn(g.m, timeout))
	}
	g.lazy = false
}

func (g *game) escaped(err error) {
	if err != nil {
		name, msg := pythonError(err)
		g.record("escaped", name, msg)
	}
}

// pump polls, and lets the peer read at most k bytes at a time, until nothing moves. Its trace does
// not show how often the same method was called in a row.
func (g *game) pump(k int) {
	for moved := true; moved; {
		before := len(g.events) + len(g.peers[0].got)
		g.poll()
		g.peers[0].read(k)
		moved = len(g.events)+len(g.peers[0].got) != before
	}
	g.events = slices.CompactFunc(g.events, func(a, b any) bool { return text(a) == text(b) })
}

var port = regexp.MustCompile(`:\d+>`)

func repr(h asyncore.Handler) string {
	s := h.(fmt.Stringer).String()
	s = regexp.MustCompile(`\*compat_test\.\w+`).ReplaceAllString(s, "__main__.Disp")
	return port.ReplaceAllString(s, ":PORT")
}

func (g *game) result() trace {
	got := trace{Events: plain(g.eventsOrNone()).([]any), State: map[string]any{}}
	var sent []byte
	for i, p := range g.peers {
		p.read(-1)
		if g.trace.Config["transport"] != "tcp_server" || text(g.trace.Sent) != `""` {
			sent = append(sent, p.got...)
		}
		if i == 0 {
			got.Peer = p.end()
		}
	}
	got.Sent = plain(latin1(sent))
	if _, one := g.trace.State["connected"]; one || len(g.actors) == 1 {
		got.State = plain(g.actors[0].state()).(map[string]any)
		return got
	}
	for _, a := range g.actors {
		got.State[strings.TrimSuffix(a.prefix, ".")] = plain(a.state())
	}
	return got
}

func (g *game) eventsOrNone() []any {
	if g.events == nil {
		return []any{}
	}
	return g.events
}

func (p *goldenPeer) send(what any) error {
	_, err := p.Write(fromLatin1(what))
	return err
}

func (p *goldenPeer) sendUrgent(b []byte) error {
	raw, err := p.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.Sendto(int(fd), b, syscall.MSG_OOB, nil) })
	return errors.Join(err, failed)
}

func (p *goldenPeer) closeWrite() error { return p.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// leave closes the peer's end.
func (p *goldenPeer) leave(reset bool) error {
	p.read(-1)
	p.closed = true
	if reset {
		p.Conn.(*net.TCPConn).SetLinger(0)
	}
	return p.Close()
}

// end is what the peer saw last.
func (p *goldenPeer) end() string {
	switch {
	case p.closed:
		return "closed"
	case p.ended == "":
		return "open"
	}
	return p.ended
}

// read takes at most limit bytes of what is there, without waiting, and returns them.
func (p *goldenPeer) read(limit int) []byte {
	before := len(p.got)
	if !p.closed && p.ended == "" {
		p.readNow(limit)
	}
	return p.got[before:]
}

func (p *goldenPeer) readNow(limit int) {
	raw, err := p.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, 64<<10)
	for limit != 0 {
		if limit > 0 {
			buf = buf[:min(limit, len(buf))]
		}
		var n int
		var err error
		raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buf)
			return true
		})
		switch {
		case err == syscall.EAGAIN:
			return
		case err == syscall.ECONNRESET:
			p.ended = "reset"
			return
		case err != nil || n <= 0:
			p.ended = "eof"
			return
		}
		p.got = append(p.got, buf[:n]...)
		limit = max(limit-n, -1)
	}
}
