package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/examples/internal/exampletest"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// serve runs the servers until the test ends.
func serve(t *testing.T) (lines, web string) {
	t.Helper()
	exampletest.Guard(t)
	ctx, cancel := context.WithCancel(context.Background())
	out, ended := exampletest.NewOutput(), make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", "127.0.0.1:0", out) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run = %v, want nil", err)
		}
	})
	lines = strings.TrimPrefix(out.Next(t), "background: lines at ")
	return lines, strings.TrimPrefix(out.Next(t), "background: http at ")
}

// get returns the status and the body of a page.
func get(t *testing.T, web, path string) (status int, body string) {
	t.Helper()
	r, err := http.Get("http://" + web + path)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	p, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(p)
}

func TestBothServersShareTheStore(t *testing.T) {
	lines, web := serve(t)
	c := exampletest.Dial(t, lines)
	c.Send("GET x\nSET x 1\nGET x\nfoo\n")
	c.Expect("ERROR no such name\nOK\n1\nERROR try SET name value, or GET name\n")
	if status, body := get(t, web, "/x"); status != http.StatusOK || body != "1\n" {
		t.Errorf("HTTP: %d %q, want %d %q", status, body, http.StatusOK, "1\n")
	}
	if status, _ := get(t, web, "/y"); status != http.StatusNotFound {
		t.Errorf("HTTP: %d, want %d", status, http.StatusNotFound)
	}
}

// Goroutines and connections use the store at the same time. It has no lock, and the race detector
// does not complain.
func TestManyAtOnce(t *testing.T) {
	lines, web := serve(t)
	const clients = 20
	done := make(chan struct{}, clients)
	for i := range clients {
		c := exampletest.Dial(t, lines)
		go func() {
			defer func() { done <- struct{}{} }()
			name := fmt.Sprint("n", i)
			for j := range 20 {
				fmt.Fprintf(c, "SET %s %d\n", name, j)
				if got := c.Line(); got != "OK" {
					t.Errorf("SET: %q, want OK", got)
				}
				if _, body := get(t, web, "/"+name); body != fmt.Sprintln(j) {
					t.Errorf("HTTP: %q, want %d", body, j)
				}
			}
		}()
	}
	for range clients {
		<-done
	}
}

// Get works from a plain goroutine. When the loop is closed, it fails at once.
func TestGetFromAGoroutine(t *testing.T) {
	exampletest.Guard(t)
	loop, err := reactor.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.Start(); err != nil {
		t.Fatal(err)
	}
	s := &store{loop: loop, values: map[string]string{"a": "b"}}
	if v, err := s.Get(t.Context(), "a"); v != "b" || err != nil {
		t.Errorf("Get: %q, %v, want b", v, err)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, reactor.ErrClosed) {
		t.Errorf("Get on a closed loop: %v, want %v", err, reactor.ErrClosed)
	}
}

func TestAddressInUseIsAnError(t *testing.T) {
	lines, web := serve(t)
	for _, a := range [][2]string{{lines, "127.0.0.1:0"}, {"127.0.0.1:0", web}} {
		if err := run(t.Context(), a[0], a[1], exampletest.NewOutput()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("run: %v, want %v", err, syscall.EADDRINUSE)
		}
	}
}

func TestSignalEndsIt(t *testing.T) {
	exampletest.Guard(t)
	p := exampletest.Start(t, "-listen", "127.0.0.1:0", "-http", "127.0.0.1:0")
	c := exampletest.Dial(t, p.Address())
	web := p.Address()
	c.Send("SET a b\n")
	c.Expect("OK\n")
	if _, body := get(t, web, "/a"); body != "b\n" {
		t.Errorf("HTTP: %q, want %q", body, "b\n")
	}
	http.DefaultClient.CloseIdleConnections()
	p.Signal(syscall.SIGTERM)
	if rest := p.ExpectSuccess(); rest != "" {
		t.Errorf("printed %q, want nothing more", rest)
	}
	c.ExpectEnd()
}
