//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// hello greets whoever is named in a line.
func hello(ctx context.Context, c *stream.Conn) error {
	for name, err := range c.Lines(ctx) {
		if err != nil {
			return err
		}
		c.Printf(ctx, "hello %s\n", name)
	}
	return nil
}

// The simplest server: it ends when its context does, here because main is done.
func ExampleListenAndServe() {
	path := os.TempDir() + "/corobridge-example.sock"
	task.Run(context.Background(), func(ctx context.Context) error {
		server := task.Spawn(ctx, func(ctx context.Context) error {
			return stream.ListenAndServe(ctx, "unix", path, hello)
		})
		task.Yield(ctx) // it listens now

		c, err := stream.Dial(ctx, "unix", path)
		if err != nil {
			return err
		}
		defer c.Close()
		c.WriteString(ctx, "world\n")
		line, err := c.ReadLine(ctx)
		fmt.Println(line, err)

		server.Cancel(nil)
		_, err = server.Await(ctx)
		fmt.Println("served:", err)
		return nil
	})
	// Output:
	// hello world <nil>
	// served: <nil>
}

func ExampleServe() {
	task.Run(context.Background(), func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0") // port 0: one that is free
		if err != nil {
			return err
		}
		task.Spawn(ctx, func(ctx context.Context) error { return stream.Serve(ctx, l, hello) })

		c, err := stream.Dial(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.WriteString(ctx, "one\ntwo\n")
		for range 2 {
			fmt.Println(c.ReadLine(ctx))
		}
		return nil
	})
	// Output:
	// hello one <nil>
	// hello two <nil>
}

func ExampleDial() {
	task.Run(context.Background(), func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		task.Spawn(ctx, func(ctx context.Context) error {
			return stream.Serve(ctx, l, func(ctx context.Context, c *stream.Conn) error {
				_, err := c.WriteString(ctx, "220 ready\r\n")
				return err
			})
		})

		dctx, cancel := task.WithTimeout(ctx, time.Second) // of the dial only
		defer cancel()
		c, err := stream.Dial(dctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		line, err := c.ReadLine(ctx)
		fmt.Printf("%q %v\n", line, err)
		return nil
	})
	// Output:
	// "220 ready" <nil>
}

func ExampleConn_Lines() {
	task.Run(context.Background(), func(ctx context.Context) error {
		a, b := stream.Pipe(ctx)
		b.WriteString(ctx, "first\r\nsecond\nunfinished")
		b.Close()
		for line, err := range a.Lines(ctx) {
			fmt.Printf("%q %v\n", line, err)
		}
		return nil
	})
	// Output:
	// "first" <nil>
	// "second" <nil>
	// "unfinished" <nil>
}

func ExamplePipe() {
	task.Run(context.Background(), func(ctx context.Context) error {
		client, server := stream.Pipe(ctx)
		task.Spawn(ctx, func(ctx context.Context) error { return hello(ctx, server) })
		client.WriteString(ctx, "pipe\n")
		fmt.Println(client.ReadLine(ctx))
		return nil
	})
	// Output:
	// hello pipe <nil>
}

// Write returns at once, and the loop sends when this task waits. Flush waits until the kernel has
// all.
func ExampleConn_Flush() {
	task.Run(context.Background(), func(ctx context.Context) error {
		a, _ := stream.Pipe(ctx)
		a.WriteString(ctx, "a ")
		a.WriteString(ctx, "few ")
		a.WriteString(ctx, "pieces")
		fmt.Println("unsent:", a.Unsent())
		err := a.Flush(ctx)
		fmt.Println("unsent:", a.Unsent(), err)
		return nil
	})
	// Output:
	// unsent: 12
	// unsent: 0 <nil>
}

// A connection is handed over with the input that has been read ahead. The old handle is inert
// afterwards.
func ExampleConn_Detach() {
	task.Run(context.Background(), func(ctx context.Context) error {
		c, peer := stream.Pipe(ctx)
		defer c.Close() // does nothing after Detach
		peer.WriteString(ctx, "UPGRADE\nraw bytes")
		peer.Close()

		line, _ := c.ReadLine(ctx)
		fmt.Println(line)
		d, err := c.Detach()
		if err != nil {
			return err
		}
		defer d.Close()
		_, err = c.ReadLine(ctx)
		fmt.Println("old handle detached:", errors.Is(err, stream.ErrDetached))
		rest, err := d.PeekSome(ctx)
		fmt.Printf("%s, %v\n", rest, err)
		return nil
	})
	// Output:
	// UPGRADE
	// old handle detached: true
	// raw bytes, <nil>
}

func ExampleCopy() {
	task.Run(context.Background(), func(ctx context.Context) error {
		client, c := stream.Pipe(ctx)
		task.Spawn(ctx, func(ctx context.Context) error { // an echo
			defer c.Close()
			_, err := stream.Copy(ctx, c, c)
			return err
		})
		client.WriteString(ctx, "there and back")
		client.CloseWrite(ctx)
		p := make([]byte, 14)
		client.ReadFull(ctx, p)
		fmt.Printf("%s\n", p)
		return nil
	})
	// Output:
	// there and back
}

// With Grace, handlers finish what they have begun when the server is told to end, as by SIGTERM.
func ExampleServer() {
	task.Run(context.Background(), func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := &stream.Server{
			Handler: hello,
			Grace:   5 * time.Second,
			OnError: func(c *stream.Conn, err error) { fmt.Println("failed:", err) },
		}
		server := task.Spawn(ctx, func(ctx context.Context) error { return s.Serve(ctx, l) })

		c, err := stream.Dial(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		c.WriteString(ctx, "before\n")
		fmt.Println(c.ReadLine(ctx))
		server.Cancel(nil)
		c.WriteString(ctx, "after\n")
		fmt.Println(c.ReadLine(ctx))
		c.Close()
		_, err = server.Await(ctx)
		fmt.Println("served:", err)
		return nil
	})
	// Output:
	// hello before <nil>
	// hello after <nil>
	// served: <nil>
}

// A handler that waits with Idle between two requests ends as soon as its server stops.
func ExampleIdle() {
	lines := func(ctx context.Context, c *stream.Conn) error {
		idle := stream.Idle(ctx)
		for {
			line, err := c.ReadLine(idle)
			if err != nil {
				fmt.Println("no more requests:", errors.Is(err, stream.ErrServerClosed))
				return nil
			}
			if _, err := c.Printf(ctx, "hello %s\n", line); err != nil {
				return err
			}
		}
	}
	task.Run(context.Background(), func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := &stream.Server{Handler: lines, Grace: time.Hour}
		server := task.Spawn(ctx, func(ctx context.Context) error { return s.Serve(ctx, l) })

		c, err := stream.Dial(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.WriteString(ctx, "world\n")
		fmt.Println(c.ReadLine(ctx))
		server.Cancel(nil) // the client stays, and asks nothing
		_, err = server.Await(ctx)
		fmt.Println("served:", err)
		return nil
	})
	// Output:
	// hello world <nil>
	// no more requests: true
	// served: <nil>
}
