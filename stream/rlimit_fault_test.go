//go:build linux

package stream_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// fewDescriptors makes a process of this test's binary the server of TestAServerWithoutDescriptors.
const fewDescriptors = "STREAM_TEST_FEW_DESCRIPTORS"

// The real thing: a process whose descriptors are used up. Everybody is served, or sees an end.
// Connections that are served notice nothing, and neither do new ones when descriptors are free
// again.
func TestAServerWithoutDescriptors(t *testing.T) {
	if os.Getenv(fewDescriptors) != "" {
		serveWithFewDescriptors(t)
		return
	}
	testkit.Guard(t)
	server := exec.Command(os.Args[0], "-test.run=^TestAServerWithoutDescriptors$")
	server.Env = append(os.Environ(), fewDescriptors+"=1")
	server.Stderr = os.Stderr
	hold, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	address, ok := strings.CutPrefix(lines.Text(), "serving ")
	if !ok {
		t.Fatalf("the server says %q, want %q and an address", lines.Text(), "serving ")
	}

	first := dial(t, address)
	ask(t, first, "hello\n")
	const n = 40
	var peers, served []*net.TCPConn
	for range n {
		p := dial(t, address)
		p.Write([]byte("hello\n"))
		peers = append(peers, p)
	}
	ended := 0
	for _, p := range peers { // the last of them after a second
		if b, err := io.ReadAll(io.LimitReader(p, 6)); string(b) == "hello\n" {
			served = append(served, p)
		} else if len(b) == 0 { // the end, or a reset
			ended++
		} else {
			t.Errorf("read %q, %v; want an answer, the end or a reset", b, err)
		}
	}
	if len(served) == 0 || ended == 0 {
		t.Errorf("%d were served and %d were not, want some of each", len(served), ended)
	}
	for _, p := range append(served, first) {
		ask(t, p, "still here\n")
	}
	backoffs, turnedAway := 0, 0
	first.Write([]byte("stats\n"))
	if _, err := fmt.Fscanf(first, "%d %d\n", &backoffs, &turnedAway); err != nil || backoffs < 10 || turnedAway != ended {
		t.Errorf("%d back-offs, %d of %d turned away, %v; want at least 10, %d and nil", backoffs, turnedAway, ended, err, ended)
	}

	for range len(served) { // each makes room for another
		p := served[0]
		p.CloseWrite()
		io.ReadAll(p)
		p = dial(t, address)
		ask(t, p, "served then\n")
		served = append(served[1:], p)
	}
	ask(t, first, "still here\n")

	hold.Close()
	rest, _ := io.ReadAll(out)
	if err := server.Wait(); err != nil {
		t.Errorf("the server ends with %v, want nil; it says:\n%s", err, rest)
	}
}

// serveWithFewDescriptors serves until the standard input ends.
func serveWithFewDescriptors(t *testing.T) {
	l := startLoop(t, quiet)
	address, stop := serving(t, l, &stream.Server{Handler: func(ctx context.Context, c *stream.Conn) error {
		for line, err := range c.Lines(ctx) {
			if err != nil {
				return err
			}
			if line == "stats" {
				s := stream.StatsOf(l)
				line = fmt.Sprint(s.Backoffs, s.TurnedAway)
			}
			c.WriteString(ctx, line+"\n")
		}
		return nil
	}})
	var before, few unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few = before
	few.Cur = uint64(len(testkit.Descriptors()) + 8)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	fmt.Println("serving", address)
	if _, err := task.Blocking(context.Background(), func(context.Context) (int64, error) { return io.Copy(io.Discard, os.Stdin) }); err != nil {
		t.Error(err)
	}
	mustBe(t, "Serve", stop(), nil)
	// The test looks for what is left.
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
}
