package main

import (
	"context"
	"io"

	"github.com/corobridge/corobridge/stream"
)

// serveTasks serves each connection in a task.
func serveTasks(ctx context.Context, address string, out io.Writer) error {
	l, err := stream.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	announce(out, l.Addr())
	return (&stream.Server{Handler: echo, Grace: grace}).Serve(ctx, l)
}

func echo(ctx context.Context, c *stream.Conn) error {
	_, err := stream.Copy(ctx, c, c)
	return err
}
