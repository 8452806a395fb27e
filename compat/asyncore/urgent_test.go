//go:build linux

package asyncore_test

import (
	"net"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// alerted is a disp that takes urgent data.
type alerted struct {
	*disp
	got  []byte
	read string
}

func (a *alerted) HandleExpt() error {
	return a.called("expt", func() error {
		b, err := a.RecvUrgent()
		a.got = append(a.got, b)
		return err
	})
}

func (a *alerted) HandleRead() error {
	data, err := a.Recv(100)
	a.read += string(data)
	return err
}

func urgently(t *testing.T, peer net.Conn, s string) {
	t.Helper()
	raw, err := peer.(syscall.Conn).SyscallConn()
	testkit.Must(t, err)
	testkit.Must(t, raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte(s), syscall.MSG_OOB, nil) }))
	testkit.Must(t, err)
}

func TestUrgentDataIsToldByHandleExpt(t *testing.T) {
	for name, loop := range map[string]func(m *asyncore.Map) error{
		"the best poller": func(m *asyncore.Map) error { return asyncore.Poll(m, soon) },
		"poll":            func(m *asyncore.Map) error { return asyncore.Poll2(m, soon) },
	} {
		for _, before := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				r := newRoom(t)
				a := &alerted{disp: newDisp("", &r.log)}
				c, peer := r.pair("tcp")
				if before { // it comes before the handler
					urgently(t, peer, "ab!")
				}
				asyncore.Attach(a, c, r.m)
				if !before {
					urgently(t, peer, "ab!")
				}
				r.send(peer, "cd")
				for len(a.got) < 1 || a.read != "abcd" {
					r.must(loop(r.m))
				}
				urgently(t, peer, "?")
				for len(a.got) < 2 {
					r.must(loop(r.m))
				}
				r.poll(5)
				r.want("expt", "expt")
				if string(a.got) != "!?" || a.read != "abcd" {
					t.Errorf("urgent %q, beside %q; want %q and %q", a.got, a.read, "!?", "abcd")
				}
				if _, err := a.RecvUrgent(); err != stream.ErrWouldBlock {
					t.Errorf("RecvUrgent of nothing: %v, want %v", err, stream.ErrWouldBlock)
				}
			})
		}
	}
}

func TestHandlerWithoutHandleExptReadsOnBehindUrgentData(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	read := ""
	d.on["read"] = func() error {
		data, err := d.Recv(100)
		read += string(data)
		return err
	}
	peer := r.connected(d, "tcp")
	r.send(peer, "ab")
	urgently(t, peer, "!")
	r.send(peer, "cd")
	r.until(func() bool { return read == "abcd" })
}

func TestHandleExptOfTheBaseLogs(t *testing.T) {
	r := newRoom(t)
	logged := ""
	m := asyncore.NewMap(asyncore.Logger(func(kind, msg string) { logged += kind + ": " + msg }))
	d := newDisp("", &r.log)
	asyncore.Init(d, m)
	r.must(d.Base().HandleExpt())
	if want := "warning: unhandled incoming priority event"; logged != want {
		t.Errorf("logged %q, want %q", logged, want)
	}
}

func TestHandleExptWithAWrongSignaturePanics(t *testing.T) {
	r := newRoom(t)
	testkit.Panics(t, "asyncore: *asyncore_test.wrongExpt.HandleExpt must be …", func() { asyncore.Init(&wrongExpt{}, r.m) })
}

type wrongExpt struct{ asyncore.Dispatcher }

func (*wrongExpt) HandleExpt() {}
