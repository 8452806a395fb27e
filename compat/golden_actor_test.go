//go:build unix

package compat_test

import (
	"net"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

// actor is the scripted handler of a trace. It records each call, acts as the script says, and then
// calls the base class unless the trace overrides that.
type actor struct {
	game      *game
	prefix    string // "A." where there are several handlers
	h         asyncore.Handler
	d         *asyncore.Dispatcher
	chat      *asynchat.Chat
	with      *asyncore.DispatcherWithSend
	accepted  *stream.Conn
	calls     map[string]int
	collected []byte
}

// The handlers. Those whose name begins with asked have the predicates too.
type (
	plainActor struct {
		asyncore.Dispatcher
		*actor
	}
	withActor struct {
		asyncore.DispatcherWithSend
		*actor
	}
	chatActor struct {
		asynchat.Chat
		*actor
	}
	askedPlain struct {
		plainActor
		predicates
	}
	askedWith struct {
		withActor
		predicates
	}
	askedChat struct {
		chatActor
		predicates
	}
	predicates struct{ asked *actor }
)

func (h *plainActor) Close() error { h.record("close"); return h.Dispatcher.Close() }
func (h *withActor) Close() error  { h.record("close"); return h.Dispatcher.Close() }
func (h *chatActor) Close() error  { h.record("close"); return h.Dispatcher.Close() }

// newActor makes a handler of one of the kinds of the traces. Only a handler whose trace has a
// script for a predicate, or shows its answers, has predicates.
func newActor(g *game, prefix string, kind any) *actor {
	a := &actor{game: g, prefix: prefix, calls: map[string]int{}}
	asked := g.scripted(prefix+"readable") || g.scripted(prefix+"writable") || g.shows(prefix+"readable")
	p := predicates{a}
	switch {
	case kind == "async_chat" && asked:
		h := &askedChat{chatActor{actor: a}, p}
		a.h, a.chat, a.d = h, &h.Chat, &h.Chat.Dispatcher
	case kind == "async_chat":
		h := &chatActor{actor: a}
		a.h, a.chat, a.d = h, &h.Chat, &h.Chat.Dispatcher
	case kind == "dispatcher_with_send" && asked:
		h := &askedWith{withActor{actor: a}, p}
		a.h, a.with, a.d = h, &h.DispatcherWithSend, &h.DispatcherWithSend.Dispatcher
	case kind == "dispatcher_with_send":
		h := &withActor{actor: a}
		a.h, a.with, a.d = h, &h.DispatcherWithSend, &h.DispatcherWithSend.Dispatcher
	case asked:
		h := &askedPlain{plainActor{actor: a}, p}
		a.h, a.d = h, &h.Dispatcher
	default:
		h := &plainActor{actor: a}
		a.h, a.d = h, &h.Dispatcher
	}
	if a.chat != nil {
		a.setUpChat()
	}
	return a
}

func (a *actor) setUpChat() {
	size := func(key string) int {
		if n, ok := a.game.trace.Config[key].(float64); ok {
			return int(n)
		}
		return 64 << 10
	}
	a.chat.SetBufferSizes(size("ac_in_buffer_size"), size("ac_out_buffer_size"))
	if t, ok := a.game.trace.Config["terminator"]; ok {
		a.setTerminator(t)
	}
}

func (a *actor) setTerminator(t any) {
	switch t := t.(type) {
	case nil:
		a.chat.SetTerminator("")
	case float64:
		a.chat.SetLength(int(t))
	default:
		a.chat.SetTerminator(string(fromLatin1(t)))
	}
}

func (a *actor) record(name string, args ...any) { a.game.record(a.prefix+name, args...) }

// called is a call of a method: the record, then the script, then the base class.
func (a *actor) called(method string, args []any, base func() error) error {
	a.record(method, args...)
	if err := a.script(method); err != nil {
		return err
	}
	if a.game.overridden(a.prefix + method) {
		return nil
	}
	return base()
}

// script runs the script's actions for this call.
func (a *actor) script(method string) error {
	on, _ := a.game.trace.Config["on"].(map[string]any)
	lists, _ := on[a.prefix+method].([]any)
	actions, _ := on[a.prefix+method+"*"].([]any)
	if n := a.calls[method]; actions == nil && n < len(lists) {
		actions = lists[n].([]any)
	}
	a.calls[method]++
	return a.act(actions)
}

func (a *actor) HandleRead() error  { return a.called("handle_read", nil, a.d.Base().HandleRead) }
func (a *actor) HandleWrite() error { return a.called("handle_write", nil, a.d.Base().HandleWrite) }
func (a *actor) HandleClose() error { return a.called("handle_close", nil, a.d.Base().HandleClose) }
func (a *actor) HandleConnect() error {
	return a.called("handle_connect", nil, a.d.Base().HandleConnect)
}
func (a *actor) HandleExpt() error   { return a.called("handle_expt", nil, a.d.Base().HandleExpt) }
func (a *actor) HandleAccept() error { return a.called("handle_accept", nil, a.d.Base().HandleAccept) }

func (a *actor) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	a.accepted = c
	return a.called("handle_accepted", nil, func() error {
		a.game.log("warning", "unhandled accepted event")
		return c.Close()
	})
}

func (a *actor) HandleError(err error) error {
	name, msg := pythonError(err)
	return a.called("handle_error", []any{name, msg}, func() error { return a.d.Base().HandleError(err) })
}

func (a *actor) CollectIncomingData(data []byte) error {
	return a.called("collect", []any{latin1(data)}, func() error {
		a.collected = append(a.collected, data...)
		return nil
	})
}

func (a *actor) FoundTerminator() error {
	return a.called("found_terminator", nil, func() error { return nil })
}

func (p predicates) Readable() bool { return p.asked.predicate("readable", p.asked.d.Base().Readable) }
func (p predicates) Writable() bool { return p.asked.predicate("writable", p.asked.d.Base().Writable) }

func (a *actor) predicate(name string, base func() bool) bool {
	values, ok := a.game.trace.Config[a.prefix+name].([]any)
	yes := ok
	if ok {
		v := values[min(a.calls[name], len(values)-1)]
		a.calls[name]++
		if v == "raise" {
			panic(&pyError{"RuntimeError", name + " failed"})
		}
		yes = v.(bool)
	} else {
		yes = base()
	}
	if a.game.shows(name) {
		a.record(name, yes)
	}
	return yes
}

// scriptedProducer returns, or fails with, what the script says.
type scriptedProducer struct {
	a    *actor
	rest []any
}

func (p *scriptedProducer) More() ([]byte, error) {
	if len(p.rest) == 0 {
		p.a.record("more", "")
		return nil, nil
	}
	next := p.rest[0]
	p.rest = p.rest[1:]
	if raise, ok := next.([]any); ok {
		p.a.record("more", "!"+raise[1].(string))
		return nil, raised(raise[1].(string), raise[2].(string))
	}
	p.a.record("more", next)
	return fromLatin1(next), nil
}

// state is the final state of a handler, as a trace has it.
func (a *actor) state() map[string]any {
	s := map[string]any{"connected": a.d.Connected(), "connecting": a.d.Connecting(), "accepting": a.d.Accepting(), "in_map": false}
	for h := range a.game.m.Handlers() {
		if h == a.h {
			s["in_map"] = true
		}
	}
	if a.with != nil {
		s["out_buffer"] = a.with.Buffered()
	}
	if a.chat == nil {
		return s
	}
	delim, n := a.chat.Terminator()
	s["terminator"] = any(n)
	if delim != "" {
		s["terminator"] = map[string]any{"b": latin1([]byte(delim))}
	}
	s["ac_in_buffer"], s["fifo"] = latin1(a.chat.Held()), a.chat.Queued()
	return s
}
