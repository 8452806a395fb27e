package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts what the clients of a stage have seen.
type tally struct {
	connections atomic.Int64 // made
	held        atomic.Int64 // conversations in which every reply was right
	requests    atomic.Int64 // with the right answer
	mismatches  atomic.Int64

	mu    sync.Mutex
	first string // mismatch
}

func (t *tally) mismatch(format string, a ...any) {
	t.mismatches.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == "" {
		t.first = fmt.Sprintf(format, a...)
	}
}

// atOnce is how many conversations are held at a time.
const atOnce = 64

// drive holds the conversations, each over a connection of its own. After a mismatch it begins no
// further one.
func drive(address string, conversations [][]segment, patience time.Duration, t *tally) {
	todo := make(chan []segment, len(conversations))
	for _, segments := range conversations {
		todo <- segments
	}
	close(todo)
	var clients sync.WaitGroup
	for range min(atOnce, len(conversations)) {
		clients.Go(func() {
			w := witness{client: dial(address, patience, t), patience: patience}
			for segments := range todo {
				if t.mismatches.Load() > 0 {
					break
				}
				if converse(dial(address, patience, t), segments, &w) {
					t.held.Add(1)
				}
			}
			w.quit()
		})
	}
	clients.Wait()
}

// client is a plain blocking client that compares each reply. After a mismatch it does nothing
// more.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	t      *tally
	failed bool
}

// dial connects, and expects the greeting.
func dial(address string, patience time.Duration, t *tally) *client {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.mismatch("%v", err)
		return &client{t: t, failed: true}
	}
	t.connections.Add(1)
	conn.SetDeadline(time.Now().Add(patience))
	c := &client{conn: conn, in: bufio.NewReader(conn), t: t}
	c.expect("220 ready")
	return c
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *client) fail(format string, a ...any) {
	c.failed = true
	c.t.mismatch(format, a...)
}

func (c *client) send(s string) {
	if c.failed || s == "" {
		return
	}
	if _, err := c.conn.Write([]byte(s)); err != nil {
		c.fail("send %q: %v", s, err)
	}
}

func (c *client) expect(reply string) {
	if c.failed {
		return
	}
	if line, err := c.in.ReadString('\n'); line != reply+"\r\n" {
		c.fail("got %q (%v), want %q", line, err, reply)
	}
}

// answer expects the reply to a request, and counts it.
func (c *client) answer(reply string) {
	if c.expect(reply); !c.failed && reply != takenOver {
		c.t.requests.Add(1)
	}
}

// end expects that the server says nothing more, and closes the connection.
func (c *client) end() {
	if c.failed {
		return
	}
	if rest, err := c.in.ReadString('\n'); err == nil || rest != "" {
		c.fail("got %q after the end (%v)", rest, err)
	}
}

// converse holds one conversation, and reports whether all of it went right.
func converse(c *client, segments []segment, w *witness) bool {
	defer c.close()
	for i, s := range segments {
		if i > 0 {
			w.ask()
		}
		c.send(s.send)
		for _, reply := range s.replies {
			c.answer(reply)
		}
	}
	c.end()
	return !c.failed
}

// witness is a second client. The server reads its connections in the order in which they became
// ready. So when the witness has its reply, the server has read everything that was sent before the
// witness asked. Without it, the kernel might join the two parts of a split, and the server would
// see them as one.
type witness struct {
	*client
	asked    int
	patience time.Duration // for one answer, since a witness outlives many conversations
}

func (w *witness) ask() {
	if w.failed {
		return
	}
	w.asked++
	w.conn.SetDeadline(time.Now().Add(w.patience))
	w.send("SERVED\r\n")
	w.answer(strconv.Itoa(w.asked))
}

func (w *witness) quit() {
	defer w.close()
	w.send("QUIT\r\n")
	w.answer("221 bye")
	w.end()
}
