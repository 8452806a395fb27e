package exampletest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stuck is how long a server must take nothing until SendUntilStuck believes that it has stopped.
// If a server is only slow, the test is weaker, and does not fail.
const stuck = 50 * time.Millisecond

// Client is a plain blocking client. If something does not come in time, its test fails.
type Client struct {
	*net.TCPConn
	t  *testing.T
	in *bufio.Reader
}

// Dial connects to an address. The connection is closed when the test ends.
func Dial(t *testing.T, address string) *Client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(t, c)
}

// Refused waits until nobody listens at an address any more.
func Refused(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		c, err := net.Dial("tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			c.Close()
		}
	}
	t.Fatalf("somebody still listens at %s, want nobody", address)
}

// NewClient makes a Client of a TCP connection.
func NewClient(t *testing.T, c net.Conn) *Client {
	t.Helper()
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &Client{c.(*net.TCPConn), t, bufio.NewReader(c)}
}

// Send sends s.
func (c *Client) Send(s string) {
	c.t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		c.t.Fatalf("sending %.40q: %v, want nil", s, err)
	}
}

// SendUntilStuck sends, and reads nothing, until the server takes no more for a while. It returns
// how many bytes the server took.
func (c *Client) SendUntilStuck(data []byte) (n int) {
	c.t.Helper()
	for err := error(nil); err == nil && n < len(data); {
		var took int
		c.SetWriteDeadline(time.Now().Add(stuck))
		took, err = c.Write(data[n:min(len(data), n+64<<10)])
		n += took
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatal(err)
		}
	}
	c.SetWriteDeadline(time.Now().Add(patience))
	return n
}

// Expect receives exactly s.
func (c *Client) Expect(s string) {
	c.t.Helper()
	got := make([]byte, len(s))
	n, err := io.ReadFull(c.in, got)
	if string(got[:n]) != s {
		c.t.Fatalf("got %.80q (%v), want %.80q", got[:n], err, s)
	}
}

// Line receives a line, and returns it without its end.
func (c *Client) Line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("got %.80q, %v; want a whole line", line, err)
	}
	return strings.TrimRight(line, "\r\n")
}

// ExpectEnd checks that the server sends nothing more, and closes the connection.
func (c *Client) ExpectEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
		c.t.Fatalf("got %.80q (%v), want the end", rest, err)
	}
}

// Gone reports whether the server has ended the connection. A reset counts too: a close with unread
// input makes one.
func (c *Client) Gone() bool {
	_, err := io.Copy(io.Discard, c.in)
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}
