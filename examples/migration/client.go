package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request and the reply that is right.
type exchange struct{ request, reply string }

// The conversation that every stage must hold. Its replies are written down here, and not computed by the code under test. SERVED
// tells whether the session has survived.
var plain = []exchange{
	{"UPPER hello, world", "HELLO, WORLD"},
	{"SUM 1 2 3 39", "45"},
	{"SERVED", "3"},
	{"", "500 unknown: "},
	{"SUM 1 two", "501 not a number: two"},
	{"UPPER a line that is somewhat longer than the others", "A LINE THAT IS SOMEWHAT LONGER THAN THE OTHERS"},
	{"SERVED", "7"},
	{"QUIT", "221 bye"},
}

// The conversation of a connection that moves twice: at MODERN from inside the callback, and after CLASSIC from outside, when the server
// has the first half of the line that halves names.
var moving = []exchange{
	{"UPPER classic", "CLASSIC"},
	{"SERVED", "2"},
	{"MODERN", "250 going modern"},
	{"UPPER read before the hand-over", "READ BEFORE THE HAND-OVER"},
	{"SERVED", "4"},
	{"CLASSIC", "250 going classic"},
}

var (
	halves      = exchange{"UPPER two halves of one line", "TWO HALVES OF ONE LINE"}
	afterHalves = []exchange{{"SERVED", "6"}, {"SUM 40 2", "42"}, {"QUIT", "221 bye"}}
)

// segment is what a client sends at once, and the replies that must come before it sends the next one.
type segment struct {
	send    string
	replies []string
}

// split cuts a conversation in two at byte i. The first segment is answered as far as it has whole lines.
func split(conversation []exchange, i int) []segment {
	var all strings.Builder
	first, second := segment{}, segment{}
	for _, x := range conversation {
		all.WriteString(x.request + "\r\n")
		if all.Len() <= i {
			first.replies = append(first.replies, x.reply)
		} else {
			second.replies = append(second.replies, x.reply)
		}
	}
	first.send, second.send = all.String()[:i], all.String()[i:]
	return []segment{first, second}
}

func length(conversation []exchange) (n int) {
	for _, x := range conversation {
		n += len(x.request) + len("\r\n")
	}
	return n
}

// conversations returns a conversation split at every byte; for a moving one every split of the part before the second
// hand-over, and every split of the part after it.
func conversations(move bool) (all [][]segment) {
	if !move {
		for i := range length(plain) + 1 {
			all = append(all, split(plain, i))
		}
		return all
	}
	half := len(halves.request) / 2
	before := func(i int) []segment {
		s := split(moving, i)
		s[1].send += halves.request[:half]
		s[1].replies = append(s[1].replies, "250 taken over")
		return s
	}
	after := func(i int) []segment { // a conversation that begins with the second half
		rest := append([]exchange{{halves.request[half:], halves.reply}}, afterHalves...)
		return split(rest, i)
	}
	n := len(halves.request) - half + len("\r\n") + length(afterHalves)
	for i := range length(moving) + 1 {
		all = append(all, append(before(i), after(0)...))
	}
	for i := range n + 1 {
		all = append(all, append(before(length(moving)), after(i)...))
	}
	return all
}

// tally is what the clients have seen.
type tally struct {
	connections, requests, mismatches atomic.Int64
	mu                                sync.Mutex
	first                             string // mismatch
}

func (t *tally) mismatch(format string, a ...any) {
	t.mismatches.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == "" {
		t.first = fmt.Sprintf(format, a...)
	}
}

// atOnce is how many clients talk at a time.
const atOnce = 32

// drive holds the conversations, each over a connection of its own.
func drive(address string, conversations [][]segment, t *tally) {
	var clients sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, segments := range conversations {
		slots <- struct{}{}
		clients.Go(func() {
			defer func() { <-slots }()
			converse(address, segments, t)
		})
	}
	clients.Wait()
}

// converse is one client: a plain blocking one.
func converse(address string, segments []segment, t *tally) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.mismatch("dial: %v", err)
		return
	}
	defer c.Close()
	t.connections.Add(1)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(c)
	expect := func(reply string) bool {
		line, err := in.ReadString('\n')
		if line == reply+"\r\n" {
			return true
		}
		t.mismatch("got %q (%v), want %q, in %q", line, err, reply, segments)
		return false
	}
	if !expect("220 ready") {
		return
	}
	for _, s := range segments {
		if _, err := c.Write([]byte(s.send)); err != nil {
			t.mismatch("send %q: %v", s.send, err)
			return
		}
		for _, reply := range s.replies {
			if !expect(reply) {
				return
			}
			t.requests.Add(1)
		}
	}
	if rest, err := in.ReadString('\n'); err == nil || rest != "" {
		t.mismatch("got %q after the end (%v), in %q", rest, err, segments)
	}
}
