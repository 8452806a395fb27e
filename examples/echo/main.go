// Command echo is an echo server: one task for each connection, straight-line code.
//
//	echo [-listen ADDR]
//
// Try it with nc 127.0.0.1 8000. Ctrl-C lets the connections finish for five seconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8000", "address to serve at")
	flag.Parse()
	if err := task.Run(context.Background(), func(ctx context.Context) error { return serve(ctx, *listen) }); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, address string) error {
	l, err := stream.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("echo: listening at", l.Addr())
	return (&stream.Server{Handler: echo, Grace: 5 * time.Second}).Serve(ctx, l)
}

func echo(ctx context.Context, c *stream.Conn) error {
	_, err := stream.Copy(ctx, c, c)
	return err
}
