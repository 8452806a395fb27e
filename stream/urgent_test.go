//go:build linux

package stream_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestUrgentDataIsToldBesideTheStream(t *testing.T) {
	for _, poller := range poll.Kinds() {
		for _, late := range []bool{false, true} {
			name := poller.String()
			if late {
				name += ", asked for later"
			}
			t.Run(name, func(t *testing.T) {
				l := startLoop(t, reactor.WithPoller(poller))
				c, p := overTCP.open(t, l)
				told := make(chan byte, 8)
				tell := func() {
					testkit.OnLoop(t, l, func() { mustBe(t, "OnUrgent", c.OnUrgent(func(b byte) { told <- b }), nil) })
				}
				if !late {
					tell()
				}
				plain(t, p, "hello ")
				urgent(t, p, "!")
				plain(t, p, "world\n")
				if late {
					tell()
				}
				if b := <-told; b != '!' {
					t.Errorf("OnUrgent was told %q, want %q", b, '!')
				}
				if line, err := c.ReadLine(context.Background()); line != "hello world" || err != nil {
					t.Errorf("ReadLine: %q, %v; want %q and nil", line, err, "hello world")
				}
				urgent(t, p, "?") // a later one leaves an unread one in the stream
				if b := <-told; b != '?' {
					t.Errorf("OnUrgent was told %q, want %q", b, '?')
				}
				c.Close()
			})
		}
	}
}

func TestNobodyIsToldOfUrgentDataAfterDetachOrClose(t *testing.T) {
	l := startLoop(t)
	c, p := overTCP.open(t, l)
	var own = c
	testkit.OnLoop(t, l, func() {
		c.OnUrgent(func(b byte) { t.Errorf("OnUrgent was told %q, want no call after Detach", b) })
		var err error
		own, err = c.Detach()
		mustBe(t, "Detach", err, nil)
	})
	urgent(t, p, "!")
	plain(t, p, "x\n")
	if line, err := own.ReadLine(context.Background()); line != "x" || err != nil {
		t.Errorf("ReadLine: %q, %v; want %q and nil", line, err, "x")
	}
	own.Close()
	if own.OnUrgent(nil) == nil {
		t.Error("OnUrgent after Close: nil, want an error")
	}
}
