//go:build unix

package compat_test

import (
	"fmt"
	"strings"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

// action is something that a script has a handler do.
type action func(a *actor, args []any) error

// actions are those of every handler, and chatActions those of a Chat.
var actions, chatActions map[string]action

func init() { // not in their declarations, since actions run scripts that look here
	actions = map[string]action{
		"raise":         func(_ *actor, args []any) error { return raised(args[0].(string), args[1].(string)) },
		"raise_oserror": func(_ *actor, args []any) error { return raisedErrno(args[0].(string)) },
		"note":          noting((*actor).note),
		"flags":         func(a *actor, _ []any) error { return a.flags() },
		"close":         func(a *actor, _ []any) error { return a.close() },
		"shutdown_wr":   func(a *actor, _ []any) error { return a.d.CloseWrite() },
		"sock_close":    func(a *actor, _ []any) error { return a.d.Close() },
		"detach":        plainly(func(a *actor) { a.d.DelChannel() }),
		"recv":          receiving("recv"),
		"raw_recv":      receiving("raw_recv"),
		"sock_recv_oob": func(a *actor, _ []any) error { return a.recvUrgent() },
		"echo_upper":    (*actor).echoUpper,
		"send":          func(a *actor, args []any) error { return a.send(fromLatin1(args[0])) },
		"spawn_other":   func(a *actor, args []any) error { return a.game.spawnOther(args[0].(map[string]any)) },
		"spawn_chat":    (*actor).spawnChat,
		"close_other":   (*actor).closeOther,
	}
	chatActions = map[string]action{
		"push":                pushing,
		"push_producer_bytes": pushing,
		"reply_line":          func(a *actor, _ []any) error { return a.replyLine() },
		"set_terminator":      noting(func(a *actor, args []any) { a.setTerminator(args[0]) }),
		"close_when_done":     plainly(func(a *actor) { a.chat.CloseWhenDone() }),
		"discard_buffers":     plainly(func(a *actor) { a.chat.DiscardBuffers() }),
		"producer": func(a *actor, args []any) error {
			return a.chat.PushWithProducer(&scriptedProducer{a, args[0].([]any)})
		},
		"simple_producer": func(a *actor, args []any) error {
			return a.chat.PushWithProducer(asynchat.SimpleProducer(fromLatin1(args[0]), number(args[1])))
		},
		"leftover": plainly((*actor).leftover),
	}
}

// plainly and noting make actions of what can't fail.
func plainly(fn func(a *actor)) action {
	return func(a *actor, _ []any) error { fn(a); return nil }
}

func noting(fn func(a *actor, args []any)) action {
	return func(a *actor, args []any) error { fn(a, args); return nil }
}

func number(v any) int { return int(v.(float64)) }

// knownAction reports whether there is an action of this name.
func knownAction(verb string) bool { return actions[verb] != nil || chatActions[verb] != nil }

// act runs actions, up to the first that fails.
func (a *actor) act(list []any) error {
	for _, one := range list {
		one := one.([]any)
		if err := a.actOnce(one[0].(string), one[1:]); err != nil {
			return err
		}
	}
	return nil
}

// actOnce runs one action. Only what the script wants to fail is the handler's error. A script that
// can't be understood breaks the whole game.
func (a *actor) actOnce(verb string, args []any) error {
	do := actions[verb]
	if do == nil && a.chat != nil {
		do = chatActions[verb]
	}
	if do == nil {
		a.game.breaks(fmt.Errorf("%w action %q of a %T", errUnknown, verb, a.h))
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			a.game.breaks(fmt.Errorf("action %q%v: %v", verb, args, v))
		}
	}()
	return do(a, args)
}

func (a *actor) note(args []any) { a.record("note", args...) }

func (a *actor) flags() error {
	a.record("flags", a.d.Connected(), a.d.Connecting(), a.d.Accepting())
	return nil
}

func (a *actor) close() error { return a.h.(interface{ Close() error }).Close() }

// receiving makes an action that records what it receives.
func receiving(name string) action {
	return func(a *actor, args []any) error {
		data, err := a.d.Recv(number(args[0]))
		if err == nil {
			a.record(name, latin1(data))
		}
		return err
	}
}

func (a *actor) recvUrgent() error {
	b, err := a.d.RecvUrgent()
	if err == nil {
		a.record("oob", latin1([]byte{b}))
	}
	return err
}

func (a *actor) echoUpper(args []any) error {
	data, err := a.d.Recv(number(args[0]))
	a.record("recv", latin1(data))
	if err != nil || len(data) == 0 {
		return err
	}
	return a.with.Send([]byte(strings.ToUpper(string(data))))
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

func pushing(a *actor, args []any) error { return a.chat.Push(fromLatin1(args[0])) }

func (a *actor) replyLine() error {
	line := a.collected
	a.collected = nil
	return a.chat.PushString("<" + string(line) + ">\r\n")
}

func (a *actor) leftover() {
	a.record("leftover", map[string]any{
		"collected": latin1(a.collected), "ac_in_buffer": latin1(a.chat.Held()), "fifo": a.chat.Queued(),
	})
}

// spawnChat makes a Chat of the connection that was accepted last.
func (a *actor) spawnChat(args []any) error {
	c := a.accepted
	a.accepted = nil
	if c == nil {
		panic("no connection was accepted")
	}
	return a.game.spawnChat(c, args)
}

func (a *actor) closeOther(args []any) error { return a.game.named(args[0].(string)).close() }

// spawnOther closes one handler and makes another, in a callback. The numbers of their descriptors
// can't be seen here.
func (g *game) spawnOther(who map[string]any) error {
	if err := g.named(who["close"].(string)).close(); err != nil {
		return err
	}
	g.attachSpare(who["new"].(string))
	return nil
}

// spawnChat attaches a Chat. The script may give its name, and its terminator. Without a name it is
// the first that the trace's events have and no handler.
func (g *game) spawnChat(c *stream.Conn, args []any) error {
	prefix := g.unusedPrefix()
	var terminator any
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			prefix = arg + "."
		case map[string]any:
			for _, key := range []string{"name", "new"} {
				if name, ok := arg[key].(string); ok {
					prefix = name + "."
				}
			}
			terminator = arg["terminator"]
		}
	}
	a := newActor(g, prefix, "async_chat")
	if terminator != nil {
		a.setTerminator(terminator)
	}
	g.actors = append(g.actors, a)
	asyncore.Attach(a.h, c, g.m)
	return nil
}

// unusedPrefix returns the first prefix in the trace's events that no handler has yet.
func (g *game) unusedPrefix() string {
	for _, e := range g.trace.Events {
		name, _, found := strings.Cut(e.([]any)[0].(string), ".")
		if found && g.find(name) == nil {
			return name + "."
		}
	}
	return ""
}
