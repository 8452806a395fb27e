package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// serveAll runs the four servers until a signal comes.
func serveAll(address string, out io.Writer) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var servers []*server
	err := error(nil)
	for i, s := range stages {
		var srv *server
		if srv, err = startAt(s, address, i); err != nil {
			err = fmt.Errorf("stage %s: %w", s.name, err)
			break
		}
		servers = append(servers, srv)
		fmt.Fprintf(out, "%-31s %s\n", s.name, srv.address)
	}
	if err == nil {
		fmt.Fprintln(out, "Try UPPER text, SUM 1 2, SERVED, QUIT; at the third, MODERN and CLASSIC too. Ctrl-C ends.")
		<-ctx.Done()
		cancel() // a second Ctrl-C kills
		fmt.Fprintln(out, "closing")
	}
	for _, srv := range servers {
		err = errors.Join(err, srv.stop())
	}
	return err
}

// startAt starts a stage i ports after the port of address, or at any port if that is 0.
func startAt(s stage, address string, i int) (*server, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, err
	}
	if port != 0 {
		port += i
	}
	return s.start(net.JoinHostPort(host, strconv.Itoa(port)))
}
