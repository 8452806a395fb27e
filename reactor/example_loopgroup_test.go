//go:build unix || windows

package reactor_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/reactor"
)

// Each loop has its own goroutine, and what belongs to it needs no lock.
func ExampleLoopGroup() {
	group, err := reactor.NewGroup(3) // 0: one for each processor
	if err != nil {
		panic(err)
	}
	defer group.Close()
	done := make(chan int)
	for i, loop := range group.Loops() {
		loop.CallSoon(func() {
			hits := 0
			for range 100 * (i + 1) {
				loop.CallSoon(func() { hits++ })
			}
			loop.CallSoon(func() { done <- hits })
		})
	}
	go func() {
		sum := <-done + <-done + <-done
		fmt.Println("hits:", sum)
		group.Stop()
	}()
	fmt.Println("run:", group.Run(context.Background()))
	// Output:
	// hits: 600
	// run: <nil>
}
