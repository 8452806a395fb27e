// Command echo is an echo server in both of the library's forms. By default a task serves each
// connection, in straight-line code. With -classic a dispatcher on asyncore's loop does.
//
//	echo [-classic] [-listen ADDR]
//
// Try it with nc 127.0.0.1 8000. After Ctrl-C or SIGTERM the connections may go on for five
// seconds.
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
	err := untilSignal(func(ctx context.Context) error { return serve(ctx, *listen, os.Stdout) })
	if err != nil {
		log.Fatal(err)
	}
}

// untilSignal runs serve with a context that ends at the first signal. The second signal kills the
// process, as usual.
func untilSignal(serve func(ctx context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return serve(ctx)
}

// serveNative serves with tasks, on a loop of its own, until ctx ends. main handles the signals, so
// Run must not.
func serveNative(ctx context.Context, address string, out io.Writer) error {
	return task.Run(ctx, func(ctx context.Context) error { return serveTasks(ctx, address, out) }, task.WithSignals())
}

func announce(out io.Writer, address fmt.Stringer) { fmt.Fprintln(out, "echo: listening at", address) }
