//go:build unix

package compat_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

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

// newActor makes the handler that a trace's configuration describes. Only a handler whose trace has
// a script for a predicate, or shows its answers, has predicates.
func newActor(g *game, prefix string) *actor {
	a := &actor{game: g, prefix: prefix, calls: map[string]int{}}
	asked := g.scripted(prefix+"readable") || g.scripted(prefix+"writable") || g.shows("readable")
	p := predicates{a}
	switch kind := g.trace.Config["kind"]; {
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
func (a *actor) HandleAccept() error { return a.called("handle_accept", nil, a.d.Base().HandleAccept) }

func (a *actor) HandleAccepted(c *stream.Conn, _ net.Addr) error {
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

// pyError is an exception of a script.
type pyError struct{ name, msg string }

func (e *pyError) Error() string { return e.name + ": " + e.msg }

// pythonError is what Python would call an error.
func pythonError(err error) (name, msg string) {
	var py *pyError
	if errors.As(err, &py) {
		return py.name, py.msg
	}
	for errno, name := range map[syscall.Errno][2]string{
		syscall.ECONNREFUSED: {"ConnectionRefusedError", "ECONNREFUSED"},
		syscall.EPIPE:        {"BrokenPipeError", "EPIPE"},
	} {
		if errors.Is(err, errno) {
			return name[0], name[1]
		}
	}
	return fmt.Sprintf("%T", err), err.Error()
}

// act runs actions, up to the first that fails.
func (a *actor) act(actions []any) error {
	for _, one := range actions {
		one := one.([]any)
		if err := a.actOnce(one[0].(string), one[1:]); err != nil {
			return err
		}
	}
	return nil
}

func (a *actor) actOnce(verb string, args []any) error {
	switch verb {
	case "raise":
		if args[0] == "ExitNow" {
			return fmt.Errorf("%w%w", asyncore.ErrExitNow, &pyError{"ExitNow", args[1].(string)})
		}
		msg := args[1].(string)
		if args[0] == "KeyError" {
			msg = "'" + msg + "'" // as str(KeyError("c")) is
		}
		return &pyError{args[0].(string), msg}
	case "raise_oserror":
		return map[any]error{"EPIPE": os.NewSyscallError("write", syscall.EPIPE)}[args[0]]
	case "note":
		a.record("note", args...)
	case "flags":
		a.record("flags", a.d.Connected(), a.d.Connecting(), a.d.Accepting())
	case "close":
		return a.h.(interface{ Close() error }).Close()
	case "detach":
		a.d.DelChannel()
	case "recv", "raw_recv":
		data, err := a.d.Recv(int(args[0].(float64)))
		a.record(verb, latin1(data))
		return err
	case "echo_upper":
		data, err := a.d.Recv(int(args[0].(float64)))
		a.record("recv", latin1(data))
		if err != nil || len(data) == 0 {
			return err
		}
		return a.with.Send([]byte(strings.ToUpper(string(data))))
	case "send":
		return a.send(fromLatin1(args[0]))
	case "spawn_other":
		return a.game.spawnOther(args[0].(map[string]any))
	default:
		return a.actChat(verb, args)
	}
	return nil
}

func (a *actor) send(p []byte) error {
	if a.with != nil {
		err := a.with.Send(p)
		a.record("send", nil)
		return err
	}
	n, err := a.d.Send(p)
	a.record("send", n)
	return err
}

func (a *actor) actChat(verb string, args []any) error {
	if a.chat == nil {
		return fmt.Errorf("%w action %q", errUnknown, verb)
	}
	switch verb {
	case "push", "push_producer_bytes":
		return a.chat.Push(fromLatin1(args[0]))
	case "reply_line":
		line := a.collected
		a.collected = nil
		return a.chat.PushString("<" + string(line) + ">\r\n")
	case "set_terminator":
		a.setTerminator(args[0])
	case "close_when_done":
		a.chat.CloseWhenDone()
	case "discard_buffers":
		a.chat.DiscardBuffers()
	case "producer":
		return a.chat.PushWithProducer(&scriptedProducer{a, args[0].([]any)})
	case "simple_producer":
		return a.chat.PushWithProducer(asynchat.SimpleProducer(fromLatin1(args[0]), int(args[1].(float64))))
	case "leftover":
		a.record("leftover", map[string]any{"collected": latin1(a.collected), "ac_in_buffer": latin1(a.chat.Held()), "fifo": a.chat.Queued()})
	default:
		return fmt.Errorf("%w action %q", errUnknown, verb)
	}
	return nil
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
		return nil, p.a.actOnce("raise", raise[1:])
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
