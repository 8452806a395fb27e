// Command background runs a loop beside ordinary Go code. A table of values lives on the loop, so
// it needs no lock. A line server on the same loop uses the table. So do net/http handlers, and any
// other goroutine may use it too.
//
//	background [-listen ADDR] [-http ADDR]
//
// Try "SET name value" and "GET name" with nc 127.0.0.1 8000, and curl 127.0.0.1:8080/name. Ctrl-C
// ends it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func main() {
	lines := flag.String("listen", "127.0.0.1:8000", "`address` of the line server")
	web := flag.String("http", "127.0.0.1:8080", "`address` of the HTTP server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *lines, *web, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, lines, web string, out io.Writer) (err error) {
	loop, err := reactor.New()
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, loop.Close()) // cancels the line server, and waits for it
	}()
	if err := loop.Start(); err != nil {
		return err
	}
	s := &store{loop: loop, values: map[string]string{}}
	l, err := stream.Listen(loop.Context(), "tcp", lines)
	if err != nil {
		return err
	}
	serveLines := func(ctx context.Context) error { return stream.Serve(ctx, l, s.serve) }
	task.Spawn(loop.Context(), serveLines, task.Name("line server"))
	fmt.Fprintln(out, "background: lines at", l.Addr())
	return serveHTTP(ctx, web, s, out)
}

// serveHTTP is ordinary net/http, on goroutines of its own.
func serveHTTP(ctx context.Context, address string, h http.Handler, out io.Writer) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "background: http at", l.Addr())
	srv, served := &http.Server{Handler: h}, make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return srv.Shutdown(grace)
}

// store is touched on its loop only.
type store struct {
	loop   *reactor.Loop
	values map[string]string
	reads  int
}

var errUnknown = errors.New("no such name")

// get may be called on the loop only.
func (s *store) get(name string) (string, error) {
	s.reads++
	v, ok := s.values[name]
	if !ok {
		return "", errUnknown
	}
	return v, nil
}

// Get may be called from anywhere. A task of the loop looks the name up, and the caller awaits it.
func (s *store) Get(ctx context.Context, name string) (string, error) {
	lookUp := func(context.Context) (string, error) { return s.get(name) }
	return task.Go(reactor.WithLoop(ctx, s.loop), lookUp).Await(ctx)
}

// ServeHTTP runs on a goroutine of net/http. Get blocks that goroutine, and not the loop.
func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch v, err := s.Get(r.Context(), r.URL.Path[1:]); {
	case err == nil:
		fmt.Fprintln(w, v)
	case errors.Is(err, errUnknown):
		http.Error(w, err.Error(), http.StatusNotFound)
	default: // the loop is closing, or the client has gone
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// serve runs on the loop, in a task for each connection.
func (s *store) serve(ctx context.Context, c *stream.Conn) error {
	for line, err := range c.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := c.WriteString(ctx, s.answer(line)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) answer(line string) string {
	var verb, name, value string
	switch n, _ := fmt.Sscan(line, &verb, &name, &value); {
	case verb == "SET" && n == 3:
		s.values[name] = value
		return "OK"
	case verb == "GET" && n == 2:
		v, err := s.get(name)
		if err != nil {
			return "ERROR " + err.Error()
		}
		return v
	}
	return "ERROR try SET name value, or GET name"
}
