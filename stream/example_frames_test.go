//go:build unix || windows

package stream_test

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// A protocol of frames, each with its length before it, served by callbacks: no task waits for the
// connection.
func ExampleConn_OnReady() {
	serve := func(c *stream.Conn) {
		for {
			head, err := c.TryPeek(4)
			if err == nil {
				n := 4 + int(binary.BigEndian.Uint32(head))
				var frame []byte
				if frame, err = c.TryPeek(n); err == nil { // the whole frame is there
					fmt.Printf("%s\n", frame[4:])
					c.TryDiscard(n)
					continue
				}
			}
			if err != stream.ErrWouldBlock { // otherwise the next call goes on
				fmt.Println(err)
				c.OnReady(nil)
				c.Close()
			}
			return
		}
	}
	task.Run(context.Background(), func(ctx context.Context) error {
		c, client := stream.Pipe(ctx)
		c.OnReady(func() { serve(c) })
		// It arrives byte by byte.
		for _, b := range []byte("\x00\x00\x00\x05hello\x00\x00\x00\x05world") {
			client.Write(ctx, []byte{b})
			client.Flush(ctx)
			task.Yield(ctx)
		}
		client.Close()
		return c.WaitClosed(ctx)
	})
	// Output:
	// hello
	// world
	// EOF
}
