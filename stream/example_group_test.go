//go:build linux

package stream_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// One listener, and handlers on every loop of a group. Handlers of one loop share state without
// locks.
func ExampleServer_group() {
	group, err := reactor.NewGroup(2) // 0: one loop for each processor
	if err != nil {
		fmt.Println(err)
		return
	}
	defer group.Close()
	group.Start()

	err = task.Run(context.Background(), func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s := &stream.Server{Handler: hello, Group: group, Balance: stream.LeastConns}
		server := task.Spawn(ctx, func(ctx context.Context) error { return s.Serve(ctx, l) })

		for i := range 4 {
			c, err := stream.Dial(ctx, "tcp", l.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			c.Printf(ctx, "%d\n", i)
			fmt.Println(c.ReadLine(ctx))
		}
		for i, loop := range group.Loops() {
			fmt.Printf("loop %d: %d connections\n", i, stream.StatsOf(loop).Open)
		}
		server.Cancel(nil)
		_, err = server.Await(ctx)
		return err
	})
	fmt.Println("served:", err)
	// Output:
	// hello 0 <nil>
	// hello 1 <nil>
	// hello 2 <nil>
	// hello 3 <nil>
	// loop 0: 2 connections
	// loop 1: 2 connections
	// served: <nil>
}
