package compat_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Shouter is a classic handler that answers each line. At MODERN a task goes on.
type Shouter struct {
	asynchat.Chat
	name string
}

func NewShouter(c *stream.Conn, m *asyncore.Map) *Shouter {
	h := &Shouter{name: "classic"}
	h.SetTerminator("\n")
	asynchat.Attach(h, c, m)
	h.PushString("hello\n")
	return h
}

func (h *Shouter) CollectIncomingData(data []byte) error {
	h.Collect(data)
	return nil
}

func (h *Shouter) FoundTerminator() error {
	line := string(h.Take())
	if line == "MODERN" {
		return compat.Continue(h, shout)
	}
	return h.PushString(h.name + ": " + line + "!\n")
}

// shout is the same in straight-line code.
func shout(ctx context.Context, c *stream.Conn) error {
	for line, err := range c.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := c.Printf(ctx, "task: %s!\n", line); err != nil {
			return err
		}
	}
	return nil
}

// ask is the client of the examples: it sends these lines, and prints what comes.
func ask(ctx context.Context, c *stream.Conn, text string) {
	defer c.Close()
	c.WriteString(ctx, text)
	c.CloseWrite(ctx)
	for line, err := range c.Lines(ctx) {
		if err != nil {
			return
		}
		fmt.Println(line)
	}
}

// A stream.Server's connections are served by an unchanged classic handler.
func ExampleHandle() {
	task.Run(context.Background(), func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		serving, stop := context.WithCancel(ctx)
		defer stop()
		server := task.Spawn(serving, func(ctx context.Context) error {
			return stream.Serve(ctx, l, compat.Handle(NewShouter))
		})
		c, err := stream.Dial(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		ask(ctx, c, "one\ntwo\n")
		stop()
		_, err = server.Await(ctx)
		return err
	})
	// Output:
	// hello
	// classic: one!
	// classic: two!
}

// In the middle of a connection, a callback leaves the rest of it to a task. The input that was
// read ahead is not lost.
func ExampleContinue() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server, client := stream.Pipe(ctx)
		task.Spawn(ctx, func(ctx context.Context) error { return compat.Handle(NewShouter)(ctx, server) })
		ask(ctx, client, "one\nMODERN\ntwo\n")
		return nil
	})
	// Output:
	// hello
	// classic: one!
	// task: two!
}

// A task takes a connection over from a handler, here with half a line that the handler has
// collected.
func ExampleStream() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server, client := stream.Pipe(ctx)
		defer client.Close()
		h := NewShouter(server, compat.Map(server.Loop()))
		client.WriteString(ctx, "half a ")
		for h.Pending() == 0 {
			task.Yield(ctx)
		}
		c, err := compat.Stream(ctx, h)
		if err != nil {
			return err
		}
		defer c.Close()
		client.WriteString(ctx, "line\n")
		line, err := c.ReadLine(ctx)
		fmt.Println(line)
		return err
	})
	// Output: half a line
}

// A task gives a connection to a classic handler that was built, and not attached. So the handler
// does not greet a second time.
func ExampleDispatch() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server, client := stream.Pipe(ctx)
		task.Spawn(ctx, func(ctx context.Context) error {
			first, err := server.ReadLine(ctx)
			if err != nil {
				return err
			}
			server.Printf(ctx, "task: %s\n", first)
			h := &Shouter{name: "again classic"}
			h.SetTerminator("\n")
			return compat.Dispatch(ctx, server, h)
		})
		ask(ctx, client, "one\ntwo\nthree\n")
		return nil
	})
	// Output:
	// task: one
	// again classic: two!
	// again classic: three!
}
