package reactor_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// The log says where a callback was scheduled that will never run. (The line is left out here,
// since it depends on the machine.)
func ExampleWithDebug() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "at" {
			return slog.Attr{}
		}
		return a
	}}))
	loop, err := reactor.New(reactor.WithDebug(0), reactor.WithLogger(log))
	if err != nil {
		fmt.Println(err)
		return
	}
	loop.Close()
	fmt.Println(loop.CallSoon(func() {}))
	// Output:
	// level=WARN msg="reactor: a callback was scheduled after Close" call=CallSoon
	// reactor: loop is closed
}

// The watchdog comes while the callback blocks the loop, so what it tells of can still be mended.
func ExampleWithObserver() {
	release := make(chan bool)
	loop, err := reactor.New(reactor.WithObserver(&reactor.Observer{
		Stalled: func(what string, since time.Duration, stack []byte) {
			fmt.Println("stalled:", since >= 100*time.Millisecond, len(stack) > 0)
			close(release)
		},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	loop.CallSoon(func() {
		<-release
		loop.Stop()
	})
	loop.Run(context.Background())
	// Output: stalled: true true
}

func ExampleLoop_Stats() {
	loop, err := reactor.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	loop.CallSoon(func() {
		loop.CallLater(time.Hour, func() {})
		loop.CallSoon(func() {
			s, _ := loop.Stats(context.Background()) // on the loop it answers at once
			fmt.Println(s.Callbacks, "callbacks so far,", s.PendingTimers, "timer to come,", s.Timers, "fired")
			loop.Stop()
		})
	})
	loop.Run(context.Background())
	// Output: 2 callbacks so far, 1 timer to come, 0 fired
}
