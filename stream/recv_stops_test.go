//go:build linux

package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// recv(2) stops before the end of the input at urgent data, and on a Unix socket behind a message
// with descriptors. The input behind that is read all the same, without a further byte from the
// peer.

// sends are ways in which a peer sends the line "hello world".
var sends = []struct {
	name string
	over carrier
	send []sending
}{
	{"urgent in the middle", overTCP, []sending{{plain, "hello "}, {urgent, "!"}, {plain, "world\n"}}},
	{"urgent at the start", overTCP, []sending{{urgent, "!"}, {plain, "hello world\n"}}},
	{"urgent before the last byte", overTCP, []sending{{plain, "hello world"}, {urgent, "!"}, {plain, "\n"}}},
	{"urgent twice", overTCP, []sending{{plain, "hello "}, {urgent, "!"}, {plain, "wor"}, {urgent, "?"}, {plain, "ld\n"}}},
	{"urgent twice in a row", overTCP, []sending{{plain, "hello "}, {urgent, "!"}, {urgent, "?"}, {plain, "world\n"}}},
	{"urgent at the end of a piece", overTCP, []sending{{urgent, "hello !"}, {plain, "world\n"}}},
	{"urgent in the middle of a Unix stream", overUnix, []sending{{plain, "hello "}, {urgent, "!"}, {plain, "world\n"}}},
	{"urgent at the start of a Unix stream", overUnix, []sending{{urgent, "!"}, {plain, "hello world\n"}}},
	{"descriptors at the start", overUnix, []sending{{descriptor, "hello "}, {plain, "world\n"}}},
	{"descriptors in the middle", overUnix, []sending{{plain, "hel"}, {descriptor, "lo "}, {plain, "world\n"}}},
	{"descriptors twice", overUnix, []sending{{descriptor, "hello "}, {descriptor, "wor"}, {plain, "ld\n"}}},
	{"descriptors and urgent", overUnix, []sending{{descriptor, "hello "}, {urgent, "!"}, {descriptor, "wor"}, {plain, "ld\n"}}},
}

type sending struct {
	how  func(t testing.TB, p peer, s string)
	what string
}

func plain(_ testing.TB, p peer, s string) { p.Write([]byte(s)) }

// urgent sends s, the last byte of which is urgent.
func urgent(t testing.TB, p peer, s string) {
	raw, err := p.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if err := syscall.Sendto(int(fd), []byte(s), syscall.MSG_OOB, nil); err == syscall.EOPNOTSUPP {
			t.Log("this kernel has no urgent data in Unix streams")
			syscall.Sendto(int(fd), []byte(s), 0, nil)
		} else if err != nil {
			t.Errorf("sending %q urgently: %v, want nil", s, err)
		}
	})
}

// descriptor sends s together with one.
func descriptor(t testing.TB, p peer, s string) {
	n, _, err := p.(*net.UnixConn).WriteMsgUnix([]byte(s), syscall.UnixRights(int(os.Stdin.Fd())), nil)
	if n != len(s) || err != nil {
		t.Errorf("sending a descriptor with %q: %d, %v; want %d and nil", s, n, err, len(s))
	}
}

// patience is how long a line may take on a busy machine. A reader that forgets input waits for
// ever.
const patience = 10 * time.Second

// lineReaders are ways to read a line, which give up in the end.
var lineReaders = map[string]func(t testing.TB, l *reactor.Loop, c *stream.Conn) (line string, err error){
	"task": func(t testing.TB, l *reactor.Loop, c *stream.Conn) (line string, err error) {
		testkit.InTask(t, l, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			line, err = c.ReadLine(ctx)
		})
		return line, err
	},
	"goroutine": func(_ testing.TB, _ *reactor.Loop, c *stream.Conn) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return c.ReadLine(ctx)
	},
	"TryRead":    func(t testing.TB, l *reactor.Loop, c *stream.Conn) (string, error) { return tryLine(t, l, c, 4096) },
	"TryRead(3)": func(t testing.TB, l *reactor.Loop, c *stream.Conn) (string, error) { return tryLine(t, l, c, 3) },
}

// tryLine reads a line in callbacks, at most n bytes at a time.
func tryLine(t testing.TB, l *reactor.Loop, c *stream.Conn, n int) (string, error) {
	var got []byte
	result := make(chan error, 1)
	try := func() {
		for p := make([]byte, n); ; {
			k, err := c.TryRead(p)
			if err == stream.ErrWouldBlock {
				return
			}
			if got = append(got, p[:k]...); err != nil || bytes.HasSuffix(got, []byte("\n")) {
				c.OnReady(nil)
				result <- err
				return
			}
		}
	}
	testkit.OnLoop(t, l, func() { c.OnReady(try); try() })
	select {
	case err := <-result:
		return strings.TrimSuffix(string(got), "\n"), err
	case <-time.After(patience):
		testkit.OnLoop(t, l, func() { c.OnReady(nil) })
		return string(got), context.DeadlineExceeded
	}
}

func TestNothingIsForgottenWhereRecvStops(t *testing.T) {
	for _, poller := range poll.Kinds() {
		for _, s := range sends {
			for how, readLine := range lineReaders {
				for _, early := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v/%s/%s/reader waits %v", poller, s.name, how, early), func(t *testing.T) {
						l := startLoop(t, reactor.WithPoller(poller))
						c, p := s.over.open(t, l)
						// Further lines come behind one of that kind, with an event that was told
						// before.
						for range 3 {
							send := func() {
								for _, s := range s.send {
									s.how(t, p, s.what)
								}
							}
							sent := func() {}
							if early {
								sent = in(t, send)
							} else {
								send()
								testkit.OnLoop(t, l, func() {})
							}
							line, err := readLine(t, l, c)
							// The kernel may leave one in the stream.
							line = strings.NewReplacer("!", "", "?", "").Replace(line)
							if line != "hello world" || err != nil {
								t.Fatalf("got %q, %v; want the whole line", line, err)
							}
							sent()
						}
					})
				}
			}
		}
	}
}
