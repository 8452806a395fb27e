// Command fetch makes several requests at once and waits for all of them (future.All), but not
// longer than a given time (task.WithTimeout). It asks an HTTP server that it starts itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run starts the server, on goroutines of its own, and fetches its pages in tasks.
func run(out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: new(pages)}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	err = task.Run(context.Background(), func(ctx context.Context) error {
		return show(ctx, l.Addr().String(), out)
	})
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(err, srv.Shutdown(grace))
	<-served
	return err
}

func show(ctx context.Context, host string, out io.Writer) error {
	paths := []string{"/one", "/two", "/three"}
	bodies, err := fetchAll(ctx, host, paths, 10*time.Second)
	if err != nil {
		return err
	}
	for i, body := range bodies {
		fmt.Fprintf(out, "%s: %d bytes\n", paths[i], len(body))
	}

	_, err = fetchAll(ctx, host, []string{"/one", "/missing", "/never"}, 10*time.Second)
	fmt.Fprintln(out, "with one that is missing:", err)

	_, err = fetchAll(ctx, host, []string{"/one", "/never"}, 50*time.Millisecond)
	fmt.Fprintln(out, "with one that never answers:", err)
	return nil
}

// fetchAll fetches all pages at once. If one fails, or the time is over, it cancels the others and
// waits until they have ended.
func fetchAll(ctx context.Context, host string, paths []string, timeout time.Duration) ([]string, error) {
	ctx, cancel := task.WithTimeout(ctx, timeout)
	defer cancel()
	var pages []*task.Task[string]
	for _, path := range paths {
		one := func(ctx context.Context) (string, error) { return fetch(ctx, host, path) }
		pages = append(pages, task.Go(ctx, one, task.Name(path)))
	}
	return future.All(ctx, pages...)
}

// fetch makes one request, in HTTP/1.0: straight-line code.
func fetch(ctx context.Context, host, path string) (body string, err error) {
	c, err := stream.Dial(ctx, "tcp", host)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Printf(ctx, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host); err != nil {
		return "", err
	}
	status, err := c.ReadLine(ctx)
	if err != nil {
		return "", err
	}
	if _, status, _ = strings.Cut(status, " "); !strings.HasPrefix(status, "200 ") {
		return "", fmt.Errorf("%s: %s", path, status)
	}
	length := 0
	for {
		line, err := c.ReadLine(ctx)
		if err != nil {
			return "", err
		}
		if line == "" {
			break
		}
		if key, value, _ := strings.Cut(line, ": "); strings.EqualFold(key, "Content-Length") {
			if length, err = strconv.Atoi(value); err != nil {
				return "", err
			}
		}
	}
	p := make([]byte, length)
	_, err = c.ReadFull(ctx, p)
	return string(p), err
}

// pages is the web site.
type pages struct{}

func (*pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	size := map[string]int{"/one": 1000, "/two": 2000, "/three": 300000}[r.URL.Path]
	switch {
	case r.URL.Path == "/never":
		<-r.Context().Done() // until the client has gone
	case size == 0:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Length", strconv.Itoa(size))
		io.WriteString(w, strings.Repeat("x", size))
	}
}
