package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/examples/internal/exampletest"
	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// row is a line of the table.
type row struct {
	name                                                              string
	connections, requests, mismatches, moves, callbacks, steps, lines int
}

func rows(t *testing.T, table string) (all []row) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^(\d .*?)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$`)
	for _, m := range line.FindAllStringSubmatch(table, -1) {
		var n [7]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+2])
		}
		all = append(all, row{m[1], n[0], n[1], n[2], n[3], n[4], n[5], n[6]})
	}
	return all
}

func TestCompareAll(t *testing.T) {
	exampletest.Guard(t)
	var out, progress bytes.Buffer
	if err := newComparison(&out, &progress).all(stages); err != nil {
		t.Fatal(err)
	}
	all, requests := rows(t, out.String()), 0
	if len(all) != len(stages) {
		t.Fatalf("%d lines, want one for each of %d stages:\n%s", len(all), len(stages), &out)
	}
	for i, r := range all {
		s := stages[i]
		talks := conversations(s.moves)
		moves := 0
		if s.moves {
			moves = 2 * len(talks)
		}
		requests += r.requests
		if r.connections != len(talks)+atOnce || r.mismatches != 0 || r.moves != moves || r.requests < 8*len(talks) || r.lines < 20 {
			t.Errorf("%+v; want %d connections, 0 mismatches, %d moves, %d requests or more, 20 lines or more", r, len(talks)+atOnce, moves, 8*len(talks))
		}
		if (r.callbacks > 0) != (s.callbacks != never) || (r.steps > 0) != (s.steps != never) {
			t.Errorf("%d callbacks, %d steps; want some callbacks: %v, some steps: %v", r.callbacks, r.steps, s.callbacks != never, s.steps != never)
		}
	}
	if want := fmt.Sprintf("0 mismatches in %d requests", requests); !strings.Contains(out.String(), want) {
		t.Errorf("printed:\n%s\nwant %q in it", &out, want)
	}
}

// Wherever a conversation is split, its parts make up the conversation, and each reply is awaited
// once, in order.
func TestSplitsAreTheConversation(t *testing.T) {
	for _, conversation := range [][]exchange{plain, moving, afterHalves} {
		all := splits(conversation)
		if n := len(text(conversation)); len(all) != n+2 || len(all[n+1]) != n {
			t.Fatalf("%d splits, the last into %d parts; want %d and %d", len(all), len(all[len(all)-1]), n+2, n)
		}
		var replies []string
		for _, x := range conversation {
			replies = append(replies, x.reply)
		}
		for i, segments := range all {
			var sent string
			var awaited []string
			for _, s := range segments {
				sent += s.send
				awaited = append(awaited, s.replies...)
			}
			if sent != text(conversation) || strings.Join(awaited, "\n") != strings.Join(replies, "\n") {
				t.Errorf("split %d sends %q and awaits %q, want %q and %q", i, sent, awaited, text(conversation), replies)
			}
		}
	}
}

// serving returns a stage whose connections have this handler.
func serving(h stream.Handler) stage {
	return stage{name: "planted", code: []string{"native", "serve"}, steps: often, start: func(address string) (*server, error) {
		return startStream(address, func(*reactor.Loop) (stream.Handler, *asyncore.Map) { return h, nil })
	}}
}

// inPieces is a correct handler, which passes each piece of input through heard before it looks at
// it.
func inPieces(heard func(connection int, p []byte) []byte) stream.Handler {
	connections := 0
	return func(ctx context.Context, c *stream.Conn) error {
		connections++
		this, s, rest := connections, session{}, ""
		if _, err := c.WriteString(ctx, "220 ready\r\n"); err != nil {
			return err
		}
		for buf := make([]byte, 4096); ; {
			n, err := c.Read(ctx, buf)
			if err != nil {
				return err
			}
			rest += string(heard(this, buf[:n]))
			for {
				line, after, ok := strings.Cut(rest, "\r\n")
				if !ok {
					break
				}
				if rest = after; line == "QUIT" {
					_, err := c.WriteString(ctx, "221 bye\r\n")
					return err
				}
				if _, err := c.WriteString(ctx, s.answer(line)+"\r\n"); err != nil {
					return err
				}
			}
		}
	}
}

// compare runs one stage, with clients of this patience.
func compare(t *testing.T, s stage, patience time.Duration) (*tally, error) {
	t.Helper()
	exampletest.Guard(t)
	c := newComparison(&bytes.Buffer{}, &bytes.Buffer{})
	c.patience = patience
	return c.stage(s)
}

// On a busy machine the kernel may deliver what the witness sent too early: before what was sent
// earlier over another connection. So there are a few tries. Without the witness, no try would have
// every split.
func TestServerSeesTheSplits(t *testing.T) {
	t.Setenv(world.FaultsVariable, "") // faults would split the input once more
	exampletest.Guard(t)
	var missed []string
	for range 5 {
		if missed = missedSplits(t); missed == nil {
			return
		}
	}
	t.Errorf("the server has read no conversation split like this, want one: %q", missed)
}

// missedSplits holds the conversations and returns those splits that a client has sent and the
// server has never read so.
func missedSplits(t *testing.T) (missed []string) {
	var mu sync.Mutex
	pieces := map[int][]string{} // of each connection
	s := serving(inPieces(func(connection int, p []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		pieces[connection] = append(pieces[connection], string(p))
		return p
	}))
	if err := newComparison(&bytes.Buffer{}, &bytes.Buffer{}).all([]stage{s}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range pieces {
		seen[strings.Join(p, "|")] = true
	}
	whole := text(plain)
	want := []string{strings.Join(strings.Split(whole, ""), "|")} // byte by byte
	for i := 1; i < len(whole); i++ {
		want = append(want, whole[:i]+"|"+whole[i:])
	}
	for _, split := range want {
		if !seen[split] {
			missed = append(missed, split)
		}
	}
	return missed
}

func TestPlantedWrongReplyIsFound(t *testing.T) {
	_, err := compare(t, serving(func(ctx context.Context, c *stream.Conn) error {
		c.WriteString(ctx, "220 ready\r\n")
		var s session
		for line, err := range c.Lines(ctx) {
			if err != nil || line == "QUIT" {
				c.WriteString(ctx, "221 bye\r\n")
				return err
			}
			c.WriteString(ctx, strings.Replace(s.answer(line), "45", "46", 1)+"\r\n")
		}
		return nil
	}), 3*time.Second)
	if err == nil || !strings.Contains(err.Error(), `got "46\r\n"`) {
		t.Errorf("the comparison says %v, want that it got %q", err, "46\r\n")
	}
}

func TestPlantedLostByteIsFound(t *testing.T) {
	t.Setenv(world.FaultsVariable, "") // so that 17 bytes come at once
	_, err := compare(t, serving(inPieces(func(connection int, p []byte) []byte {
		if len(p) == 17 {
			return p[1:]
		}
		return p
	})), 3*time.Second)
	if err == nil || !strings.Contains(err.Error(), "mismatches; the first: got ") {
		t.Errorf("the comparison says %v, want the mismatches and the first", err)
	}
}

func TestPlantedWordAfterTheEndIsFound(t *testing.T) {
	_, err := compare(t, serving(func(ctx context.Context, c *stream.Conn) error {
		err := native(ctx, c)
		c.WriteString(ctx, "and one more thing\r\n")
		return err
	}), 3*time.Second)
	if err == nil || !strings.Contains(err.Error(), `got "and one more thing\r\n" after the end`) {
		t.Errorf("the comparison says %v, want that it got %q after the end", err, "and one more thing\r\n")
	}
}

func TestPlantedSilenceIsFound(t *testing.T) {
	_, err := compare(t, serving(func(ctx context.Context, c *stream.Conn) error {
		_, err := c.Discard(ctx, 1<<20)
		return err
	}), 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), `want "220 ready"`) {
		t.Errorf("the comparison says %v, want that it misses %q", err, "220 ready")
	}
}

func TestPlantedZeroCountsAreFound(t *testing.T) {
	for i, s := range stages {
		start := s.start
		s.start = func(address string) (*server, error) {
			srv, err := start(address)
			if err == nil {
				srv.counts = func() counts { return counts{} }
			}
			return srv, err
		}
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			tally, err := compare(t, s, 10*time.Second)
			if tally.mismatches.Load() > 0 {
				t.Fatalf("a mismatch, want none: %s", tally.first)
			}
			if err == nil || !strings.Contains(err.Error(), "0 connections were accepted") {
				t.Errorf("the comparison says %v, want that 0 connections were accepted", err)
			}
		})
	}
}

func TestStageThatDoesNotStartIsAnError(t *testing.T) {
	exampletest.Guard(t)
	broken := errors.New("planted")
	var out bytes.Buffer
	none := stage{name: "0", start: func(string) (*server, error) { return nil, broken }}
	err := newComparison(&out, &out).all([]stage{none, stages[3]})
	if !errors.Is(err, broken) || len(rows(t, out.String())) != 1 || strings.Contains(out.String(), "0 mismatches in") {
		t.Errorf("the error is %v, want %v; printed, want one row and no word of 0 mismatches:\n%s", err, broken, &out)
	}
}

func TestCheck(t *testing.T) {
	const talks, made = 10, 12
	right := func() (stage, counts, *tally) {
		y := &tally{}
		y.connections.Store(made)
		y.held.Store(talks)
		y.requests.Store(100)
		s := stage{moves: true, callbacks: often, steps: sometimes}
		return s, counts{accepted: made, handOvers: 2 * talks, callbacks: 40, steps: 1}, y
	}
	for name, x := range map[string]struct {
		spoil func(s *stage, n *counts, y *tally)
		want  string
	}{
		"nothing":                 {func(*stage, *counts, *tally) {}, ""},
		"mismatch":                {func(_ *stage, _ *counts, y *tally) { y.mismatch("this") }, "1 mismatches; the first: this"},
		"conversation broken off": {func(_ *stage, _ *counts, y *tally) { y.held.Add(-1) }, "9 of 10 conversations"},
		"no witness":              {func(_ *stage, n *counts, y *tally) { n.accepted = talks; y.connections.Store(talks) }, "10 connections were made"},
		"none accepted":           {func(_ *stage, n *counts, _ *tally) { n.accepted = 0 }, "0 connections were accepted, 12"},
		"no requests":             {func(_ *stage, _ *counts, y *tally) { y.requests.Store(0) }, "0 requests"},
		"one hand-over missing":   {func(_ *stage, n *counts, _ *tally) { n.handOvers-- }, "19 hand-overs, there must be 20"},
		"hand-overs of a still":   {func(s *stage, _ *counts, _ *tally) { s.moves = false }, "20 hand-overs, there must be 0"},
		"no callbacks":            {func(_ *stage, n *counts, _ *tally) { n.callbacks = 0 }, "0 classic callbacks"},
		"few callbacks":           {func(_ *stage, n *counts, _ *tally) { n.callbacks = made - 1 }, "11 classic callbacks"},
		"callbacks of a native":   {func(s *stage, _ *counts, _ *tally) { s.callbacks = never }, "40 classic callbacks"},
		"no steps":                {func(_ *stage, n *counts, _ *tally) { n.steps = 0 }, "0 task steps"},
		"few steps":               {func(s *stage, _ *counts, _ *tally) { s.steps = often }, "1 task steps"},
		"steps of a classic":      {func(s *stage, _ *counts, _ *tally) { s.steps = never }, "1 task steps"},
	} {
		s, n, y := right()
		x.spoil(&s, &n, y)
		err := s.check(n, y, talks)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
}

func TestLinesOfCodeKnowsItsFunctions(t *testing.T) {
	if _, err := linesOfCode([]string{"native", "nobody"}); err == nil {
		t.Error("linesOfCode of a function that does not exist = nil, want an error")
	}
}

// The stage can't go on until the comparison has said how far it is.
func TestLongStageShowsProgress(t *testing.T) {
	exampletest.Guard(t)
	shown, show := future.New[string]()
	s := serving(func(ctx context.Context, c *stream.Conn) error {
		if _, err := shown.Await(ctx); err != nil {
			return err
		}
		return native(ctx, c)
	})
	var out bytes.Buffer
	if err := newComparison(&out, writer(func(p []byte) { show.Resolve(string(p)) })).all([]stage{s}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("stage planted: 0 of %d conversations\n", len(conversations(false)))
	if line, err := shown.TryResult(); line != want {
		t.Errorf("shown: %q, %v, want %q", line, err, want)
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func TestCommandCompares(t *testing.T) {
	exampletest.Guard(t)
	out := exampletest.Start(t).ExpectSuccess()
	if len(rows(t, out)) != 4 || !strings.Contains(out, "0 mismatches in ") {
		t.Errorf("printed, want 4 rows and 0 mismatches:\n%s", out)
	}
}

// The four servers answer, and end at Ctrl-C even if a client is still there.
func TestListenServesTheFourStages(t *testing.T) {
	exampletest.Guard(t)
	p := exampletest.Start(t, "-listen", "127.0.0.1:0")
	var addresses []string
	for _, s := range stages {
		line := p.Line()
		if !strings.HasPrefix(line, s.name+" ") {
			t.Fatalf("printed %q, want the line of stage %q", line, s.name)
		}
		addresses = append(addresses, line[strings.LastIndexByte(line, ' ')+1:])
	}
	p.Line() // what to try
	for i, s := range stages {
		c := exampletest.Dial(t, addresses[i])
		c.Expect("220 ready\r\n")
		talk := conversations(s.moves)[7]
		for _, part := range talk {
			c.Send(part.send)
			for _, reply := range part.replies {
				c.Expect(reply + "\r\n")
			}
		}
		c.ExpectEnd()
	}
	var idle []*exampletest.Client
	for _, address := range addresses {
		c := exampletest.Dial(t, address)
		c.Expect("220 ready\r\n")
		idle = append(idle, c)
	}
	p.Signal(syscall.SIGINT)
	if rest := p.ExpectSuccess(); rest != "closing\n" {
		t.Errorf("printed %q, want %q", rest, "closing\n")
	}
	for _, c := range idle {
		c.ExpectEnd()
	}
	for _, address := range addresses {
		exampletest.Refused(t, address)
	}
}

func TestListenAtPortsInARow(t *testing.T) {
	exampletest.Guard(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	taken, _ := strconv.Atoi(port)
	s, err := startAt(stages[0], net.JoinHostPort(host, strconv.Itoa(taken-2)), 2)
	if err == nil {
		s.stop()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the second port after %d: %v, want EADDRINUSE", taken-2, err)
	}
}

func TestListenAtNoAddressIsAnError(t *testing.T) {
	exampletest.Guard(t)
	for _, address := range []string{"nowhere", "127.0.0.1:http", "127.0.0.1:65536"} {
		if err := serveAll(address, &bytes.Buffer{}); err == nil {
			t.Errorf("serveAll(%q) = nil, want an error", address)
		}
	}
}
