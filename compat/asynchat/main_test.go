package asynchat_test

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"testing"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classictest"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// chat records its calls. found and collect may act in them.
type chat struct {
	asynchat.Chat
	events  []string
	found   func(c *chat, line string) error
	collect func(c *chat, data []byte) error
	parting func(c *chat) error
	swallow bool  // HandleError takes errors and goes on
	failing error // what HandleError returns
	errs    []error
}

func (c *chat) note(format string, a ...any) { c.events = append(c.events, fmt.Sprintf(format, a...)) }

func (c *chat) CollectIncomingData(data []byte) error {
	c.note("collect %s", data)
	if c.collect != nil {
		if err := c.collect(c, data); err != nil {
			return err
		}
	}
	c.Collect(data)
	return nil
}

func (c *chat) FoundTerminator() error {
	line := string(c.Take())
	c.note("found")
	if c.found != nil {
		return c.found(c, line)
	}
	return nil
}

func (c *chat) HandleClose() error {
	c.note("close")
	if c.parting != nil {
		return c.parting(c)
	}
	return c.Base().HandleClose()
}

func (c *chat) HandleError(err error) error {
	c.errs = append(c.errs, err)
	c.note("error")
	if c.swallow || c.failing != nil {
		return c.failing
	}
	return c.Base().HandleError(err)
}

// table is a chat and its peer, on a map that the test polls.
type table struct {
	t    testing.TB
	m    *asyncore.Map
	c    *chat
	peer net.Conn
}

func newTable(t testing.TB, set func(c *chat)) *table {
	t.Helper()
	if t, ok := t.(*testing.T); ok {
		testkit.Guard(t)
	}
	classictest.NoFaults(t)
	m := asyncore.NewMap(asyncore.Logger(func(string, string) {}))
	conn, peer := classictest.Pair(t, m, "unix")
	tb := &table{t: t, m: m, c: &chat{}, peer: peer}
	if set != nil {
		set(tb.c)
	}
	asynchat.Attach(tb.c, conn, m)
	t.Cleanup(tb.end)
	return tb
}

func (tb *table) end() {
	tb.c.Close()
	tb.peer.Close()
	if err := asyncore.CloseAll(tb.m, false); err != nil {
		tb.t.Error(err)
	}
}

// send makes each segment one delivery.
func (tb *table) send(segments ...string) {
	tb.t.Helper()
	for _, s := range segments {
		if len(s) == 0 {
			continue
		}
		if _, err := tb.peer.Write([]byte(s)); err != nil {
			tb.t.Fatal(err)
		}
		tb.poll(2)
	}
}

func (tb *table) poll(n int) {
	tb.t.Helper()
	for range n {
		if err := asyncore.Poll(tb.m, 0); err != nil {
			tb.t.Fatal(err)
		}
	}
}

func (tb *table) want(events ...string) {
	tb.t.Helper()
	if len(tb.c.events)+len(events) > 0 && !reflect.DeepEqual(tb.c.events, events) {
		tb.t.Errorf("events\n got %q\nwant %q", tb.c.events, events)
	}
}

var errBoom = errors.New("boom")
