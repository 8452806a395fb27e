package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/examples/internal/exampletest"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func serve(t *testing.T) (*myServer, *reactor.Loop) {
	t.Helper()
	exampletest.Guard(t)
	s, err := newServer("127.0.0.1:0", asyncore.NewMap())
	if err != nil {
		t.Fatal(err)
	}
	return s, exampletest.Loop(t, s)
}

// join returns a client that is a member of the room.
func join(t *testing.T, address string) *exampletest.Client {
	t.Helper()
	c := exampletest.Dial(t, address)
	c.Expect("welcome\r\n")
	return c
}

func TestOthersGetWhatOneTypes(t *testing.T) {
	s, _ := serve(t)
	ann, bob, eve := join(t, s.Addr().String()), join(t, s.Addr().String()), join(t, s.Addr().String())
	ann.Send("hello\r\nwho is the")
	bob.Expect(fmt.Sprintf("%v: hello\r\n", ann.LocalAddr()))
	eve.Expect(fmt.Sprintf("%v: hello\r\n", ann.LocalAddr()))
	bob.Send("me\r\n")
	ann.Expect(fmt.Sprintf("%v: me\r\n", bob.LocalAddr())) // and not her own line before it
	eve.Expect(fmt.Sprintf("%v: me\r\n", bob.LocalAddr()))
	ann.Send("re?\r\n")
	bob.Expect(fmt.Sprintf("%v: who is there?\r\n", ann.LocalAddr()))
	eve.Expect(fmt.Sprintf("%v: who is there?\r\n", ann.LocalAddr()))
}

func TestWhoLeavesIsForgotten(t *testing.T) {
	s, loop := serve(t)
	ann, bob, eve := join(t, s.Addr().String()), join(t, s.Addr().String()), join(t, s.Addr().String())
	bob.Close()
	exampletest.Eventually(t, loop, "two members", func() bool { return len(s.members) == 2 && s.Map().Len() == 3 })
	ann.Send("still here\r\n")
	eve.Expect(fmt.Sprintf("%v: still here\r\n", ann.LocalAddr()))
}

func TestLineWithoutEndCostsItsSenderTheConnection(t *testing.T) {
	s, _ := serve(t)
	ann, bob := join(t, s.Addr().String()), join(t, s.Addr().String())
	ann.Send(strings.Repeat("x", maxLine+1))
	if !ann.Gone() {
		t.Error("the connection is still open, want it closed")
	}
	eve := join(t, s.Addr().String())
	eve.Send("hello\r\n")
	bob.Expect(fmt.Sprintf("%v: hello\r\n", eve.LocalAddr()))
}

func TestManyMembersGetManyLinesInOrder(t *testing.T) {
	s, _ := serve(t)
	const members, lines = 20, 50
	var room []*exampletest.Client
	for range members {
		room = append(room, join(t, s.Addr().String()))
	}
	speaker := room[0]
	for i := range lines {
		speaker.Send(fmt.Sprintf("%d\r\n", i))
	}
	for _, c := range room[1:] {
		for i := range lines {
			c.Expect(fmt.Sprintf("%v: %d\r\n", speaker.LocalAddr(), i))
		}
	}
}

func TestAddressInUseIsAnError(t *testing.T) {
	s, _ := serve(t)
	m := asyncore.NewMap()
	if _, err := newServer(s.Addr().String(), m); err == nil {
		t.Error("no error, want one: the address is in use")
	}
	if err := asyncore.CloseAll(m, false); err != nil {
		t.Error(err)
	}
}

func TestCommand(t *testing.T) {
	exampletest.Guard(t)
	p := exampletest.Start(t, "-listen", "127.0.0.1:0")
	join(t, p.Address())
}
