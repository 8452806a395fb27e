package main

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// comparison runs the clients against the stages, and prints the result.
type comparison struct {
	out, progress io.Writer
	every         time.Duration // between two lines of progress
	patience      time.Duration // of a client, for a whole conversation
}

func newComparison(out, progress io.Writer) *comparison {
	return &comparison{out: out, progress: progress, every: time.Second, patience: 10 * time.Second}
}

const (
	heading = "%-31s %12s %9s %11s %11s %10s %11s %14s\n"
	line    = "%-31s %12d %9d %11d %11d %10d %11d %14d\n"
)

// all compares every stage. When a stage fails, the others still run.
func (c *comparison) all(stages []stage) error {
	fmt.Fprintf(c.out, heading,
		"stage", "connections", "requests", "mismatches", "hand-overs", "callbacks", "task steps", "handler lines")
	var errs []error
	var requests int64
	for _, s := range stages {
		t, err := c.stage(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("stage %s: %w", s.name, err))
		}
		requests += t.requests.Load()
	}
	if len(errs) == 0 {
		fmt.Fprintf(c.out, `
0 mismatches in %d requests: the classic handler, the same handler beside tasks, connections that moved from callbacks
to a task, back, and to a task again, and straight-line code all gave the right replies, wherever the input was split.
`, requests)
	}
	return errors.Join(errs...)
}

// stage compares one stage, and prints its line of the table.
func (c *comparison) stage(s stage) (*tally, error) {
	t := &tally{}
	lines, err := linesOfCode(s.code)
	if err != nil {
		return t, err
	}
	srv, err := s.start("127.0.0.1:0")
	if err != nil {
		return t, err
	}
	all := conversations(s.moves)
	stopProgress := c.showProgress(s.name, len(all), t)
	drive(srv.address, all, c.patience, t)
	stopProgress()
	n := srv.counts()
	if err := srv.stop(); err != nil {
		return t, err
	}
	fmt.Fprintf(c.out, line, s.name, n.accepted, t.requests.Load(), t.mismatches.Load(), n.handOvers, n.callbacks, n.steps, lines)
	return t, s.check(n, t, len(all))
}

// check returns what the counts of a stage show to be wrong. A zero where something must have
// happened is as bad as a wrong reply.
func (s stage) check(n counts, t *tally, conversations int) error {
	var moves uint64
	if s.moves {
		moves = 2 * uint64(conversations)
	}
	connections, requests := t.connections.Load(), t.requests.Load()
	switch {
	case t.mismatches.Load() > 0:
		return fmt.Errorf("%d mismatches; the first: %s", t.mismatches.Load(), t.first)
	case t.held.Load() != int64(conversations):
		return fmt.Errorf("%d of %d conversations were held to their end, want all", t.held.Load(), conversations)
	case connections <= int64(conversations):
		return fmt.Errorf("%d connections were made for %d conversations and their witnesses", connections, conversations)
	case n.accepted != uint64(connections):
		return fmt.Errorf("%d connections were accepted, %d were made", n.accepted, connections)
	case requests < int64(conversations):
		return fmt.Errorf("%d requests in %d conversations", requests, conversations)
	case n.handOvers != moves:
		return fmt.Errorf("%d hand-overs, there must be %d", n.handOvers, moves)
	case !plausible(n.callbacks, s.callbacks, connections):
		return fmt.Errorf("%d classic callbacks for %d connections", n.callbacks, connections)
	case !plausible(n.steps, s.steps, connections):
		return fmt.Errorf("%d task steps for %d connections", n.steps, connections)
	}
	return nil
}

// plausible reports whether something happened as often as it must.
func plausible(n uint64, what expectation, connections int64) bool {
	switch what {
	case never:
		return n == 0
	case sometimes:
		return n > 0
	default:
		return n >= uint64(connections)
	}
}

// showProgress prints from time to time how far a stage has come.
func (c *comparison) showProgress(name string, conversations int, t *tally) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(c.every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(c.progress, "stage %s: %d of %d conversations\n", name, t.held.Load(), conversations)
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}
