package asyncore_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classictest"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errBoom = errors.New("boom")

// disp records its calls. on says what it does in them.
type disp struct {
	asyncore.Dispatcher
	name   string
	log    *[]string
	on     map[string]func() error
	errors []error
	peer   net.Conn // for a test that needs it there
}

func newDisp(name string, log *[]string) *disp {
	return &disp{name: name, log: log, on: map[string]func() error{}}
}

func (d *disp) called(what string, base func() error) error {
	*d.log = append(*d.log, d.name+what)
	if fn := d.on[what]; fn != nil {
		return fn()
	}
	return base()
}

func nothing() error { return nil }

func (d *disp) HandleRead() error    { return d.called("read", d.drop) }
func (d *disp) HandleConnect() error { return d.called("connect", nothing) }
func (d *disp) HandleClose() error   { return d.called("close", d.Base().HandleClose) }
func (d *disp) HandleAccept() error  { return d.called("accept", d.Base().HandleAccept) }

func (d *disp) HandleError(err error) error {
	d.errors = append(d.errors, err)
	return d.called("error", func() error { return d.Base().HandleError(err) })
}

func (d *disp) drop() error {
	_, err := d.Recv(1 << 10)
	return err
}

// writer is a disp that has output. asked is a disp with predicates.
type (
	writer struct{ *disp }
	asked  struct {
		*disp
		readable, writable bool
	}
	askedWriter struct{ asked }
)

func (w *writer) HandleWrite() error      { return w.called("write", nothing) }
func (w *askedWriter) HandleWrite() error { return w.called("write", nothing) }

func (a *asked) Readable() bool { *a.log = append(*a.log, a.name+"readable?"); return a.readable }
func (a *asked) Writable() bool { *a.log = append(*a.log, a.name+"writable?"); return a.writable }

// room is a map that the test polls, with a record of what its handlers were called for.
type room struct {
	t   *testing.T
	m   *asyncore.Map
	log []string
}

func newRoom(t *testing.T) *room {
	t.Helper()
	testkit.Guard(t)
	classictest.NoFaults(t)
	r := &room{t: t, m: asyncore.NewMap(asyncore.Logger(func(string, string) {}))}
	t.Cleanup(func() {
		if err := asyncore.CloseAll(r.m, true); err != nil {
			t.Error(err)
		}
	})
	return r
}

// connected makes h the handler of a connection, and returns the peer.
func (r *room) connected(h asyncore.Handler, network string) net.Conn {
	r.t.Helper()
	c, peer := r.pair(network)
	asyncore.Attach(h, c, r.m)
	return peer
}

func (r *room) pair(network string) (*stream.Conn, net.Conn) {
	r.t.Helper()
	c, peer := classictest.Pair(r.t, r.m, network)
	r.t.Cleanup(func() { peer.Close() })
	return c, peer
}

func (r *room) poll(n int) {
	r.t.Helper()
	for range n {
		r.must(asyncore.Poll(r.m, 0))
	}
}

// until polls until ok.
func (r *room) until(ok func() bool) {
	r.t.Helper()
	for !ok() {
		r.must(asyncore.Poll(r.m, 100*time.Millisecond))
	}
}

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) send(peer io.Writer, s string) {
	r.t.Helper()
	_, err := peer.Write([]byte(s))
	r.must(err)
}

// want compares what was recorded since the last call.
func (r *room) want(log ...string) {
	r.t.Helper()
	if !slices.Equal(r.log, log) {
		r.t.Errorf("calls\n got %q\nwant %q", r.log, log)
	}
	r.log = nil
}
