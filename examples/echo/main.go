// Command echo is an echo server, in both of the library's forms: a task for each connection, straight-line code, or with
// -classic a dispatcher on asyncore's loop.
//
//	echo [-classic] [-listen ADDR]
//
// Try it with nc 127.0.0.1 8000. Ctrl-C and SIGTERM let the connections finish for five seconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/task"
)

// grace is how long connections may go on after a signal.
const grace = 5 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "`address` to serve at")
	classic := flag.Bool("classic", false, "serve with an asyncore dispatcher")
	flag.Parse()
	serve := serveNative
	if *classic {
		serve = serveClassic
	}
	if err := untilSignal(func(ctx context.Context) error { return serve(ctx, *listen, os.Stdout) }); err != nil {
		log.Fatal(err)
	}
}

// untilSignal runs serve with a context that ends with the first signal; the second one kills, as if it were not handled.
func untilSignal(serve func(ctx context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return serve(ctx)
}

// serveNative serves with tasks, on a loop of its own, until ctx ends. The signals are main's.
func serveNative(ctx context.Context, address string, out io.Writer) error {
	return task.Run(ctx, func(ctx context.Context) error { return serveTasks(ctx, address, out) }, task.WithSignals())
}

func announce(out io.Writer, address fmt.Stringer) { fmt.Fprintln(out, "echo: listening at", address) }
