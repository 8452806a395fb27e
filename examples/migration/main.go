// Command migration serves one line protocol at the four stages of a migration from callbacks to awaitable code, drives real
// clients against each, and compares every reply:
//
//  1. a classic asynchat handler on the classic loop;
//  2. the same handler, unchanged, on a reactor that runs tasks too;
//  3. a connection that is handed over to a task twice: from inside FoundTerminator, with what follows already read, and
//     from outside, between the two halves of a line;
//  4. straight-line code.
//
// Each conversation is held once for every byte at which it can be split in two. One wrong reply, or a count that
// cannot be, and the exit status is 1.
//
//	migration                    the comparison
//	migration -listen ADDR       the four servers, at ADDR and the three ports after it, for nc or telnet, until Ctrl-C
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	listen := flag.String("listen", "", "serve at this `address` and the three ports after it, until Ctrl-C")
	flag.Parse()
	log.SetFlags(0)
	if *listen != "" {
		if err := serveAll(*listen); err != nil {
			log.Fatal("migration: ", err)
		}
		return
	}
	if err := compareAll(os.Stdout); err != nil {
		log.Fatal("migration: ", err)
	}
}

// compareAll runs the clients against every stage and prints what came of it.
func compareAll(out *os.File) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "stage\tconnections\trequests\tmismatches\thand-overs\tclassic callbacks\ttask steps\tlines of handler code\t")
	var errs []error
	for _, s := range stages {
		row, err := compare(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("stage %s: %w", s.name, err))
		}
		fmt.Fprint(table, row)
	}
	table.Flush()
	return errors.Join(errs...)
}

// compare runs one stage, and returns its row of the table.
func compare(s stage) (row string, err error) {
	srv, err := s.start("127.0.0.1:0")
	if err != nil {
		return "", err
	}
	var t tally
	all := conversations(s.moves)
	stopProgress := progress(s.name, len(all), &t)
	drive(srv.address, all, &t)
	stopProgress()
	n := srv.counts()
	if err := srv.stop(); err != nil {
		return "", err
	}
	lines, err := linesOfCode(s.code)
	if err != nil {
		return "", err
	}
	row = fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", s.name,
		n.accepted, t.requests.Load(), t.mismatches.Load(), n.handOvers, n.callbacks, n.steps, lines)
	return row, s.check(n, &t, len(all))
}

// check tells what a stage's counts show to be wrong.
func (s stage) check(n counts, t *tally, connections int) error {
	if t.mismatches.Load() > 0 {
		return fmt.Errorf("%d mismatches; the first: %s", t.mismatches.Load(), t.first)
	}
	var moves uint64
	if s.moves {
		moves = 2 * uint64(connections)
	}
	switch {
	case n.accepted != uint64(connections):
		return fmt.Errorf("%d connections were accepted, %d were made", n.accepted, connections)
	case t.requests.Load() == 0:
		return errors.New("no request was answered")
	case n.handOvers != moves:
		return fmt.Errorf("%d hand-overs, there must be %d", n.handOvers, moves)
	case (n.callbacks > 0) != s.callbacks:
		return fmt.Errorf("%d classic callbacks", n.callbacks)
	case (n.steps > 0) != s.steps:
		return fmt.Errorf("%d task steps", n.steps)
	}
	return nil
}

// progress shows, once a second, how far a stage has come.
func progress(name string, connections int, t *tally) (stop func()) {
	tick, done := time.NewTicker(time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(os.Stderr, "stage %s: %d of %d connections\n", name, t.connections.Load(), connections)
			case <-done:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
	}
}

// serveAll keeps the four servers up until a signal comes.
func serveAll(address string) error {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var errs []error
	for i, s := range stages {
		at := net.JoinHostPort(host, "0")
		if port != 0 {
			at = net.JoinHostPort(host, strconv.Itoa(port+i))
		}
		srv, err := s.start(at)
		if err != nil {
			errs = append(errs, err)
			break
		}
		defer func() { srv.stop() }()
		fmt.Printf("%-34s %s\n", s.name, srv.address)
	}
	if len(errs) == 0 {
		fmt.Println("Try UPPER text, SUM 1 2, SERVED, QUIT; at the third, MODERN and CLASSIC too. Ctrl-C ends.")
		<-ctx.Done()
		fmt.Println("closing")
	}
	return errors.Join(errs...)
}
