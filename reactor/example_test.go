//go:build linux

package reactor_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/reactor"
)

func ExampleLoop_CallSoon() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	loop.CallSoon(func() {
		loop.CallSoon(func() {
			fmt.Println("second")
			loop.Stop()
		})
		fmt.Println("first")
	})
	fmt.Println(loop.Run(context.Background()))
	// Output:
	// first
	// second
	// <nil>
}

func ExampleLoop_CallLater() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	loop.CallLater(2*time.Millisecond, func() {
		fmt.Println("two milliseconds later")
		loop.Stop()
	})
	never := loop.CallLater(time.Millisecond, func() { fmt.Println("never printed") })
	fmt.Println(never.Stop(), never.Stop())
	loop.Run(context.Background())
	// Output:
	// true false
	// two milliseconds later
}

// A loop in the background of a program that is otherwise made of goroutines.
func ExampleLoop_Start() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	if err := loop.Start(); err != nil {
		panic(err)
	}
	answer := make(chan string)
	loop.CallSoon(func() { answer <- "hello from the loop" })
	fmt.Println(<-answer)

	fmt.Println(loop.Close())
	fmt.Println(loop.CallSoon(func() {}))
	// Output:
	// hello from the loop
	// <nil>
	// reactor: loop is closed
}

func ExampleLoop_AddReader() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	defer r.Close()
	fd := int(r.Fd())
	loop.AddReader(fd, func() {
		buf := make([]byte, 5) // the reader is called again as long as there is more
		n, _ := unix.Read(fd, buf)
		fmt.Printf("%q\n", buf[:n])
		if n == 0 {
			loop.RemoveReader(fd)
			loop.Stop()
		}
	})
	loop.CallSoon(func() {
		w.WriteString("hello world")
		w.Close()
	})
	loop.Run(context.Background())
	// Output:
	// "hello"
	// " worl"
	// "d"
	// ""
}

// Work that blocks a goroutine runs elsewhere. Its result comes back to the loop, where no lock is
// needed.
func ExampleLoop_Offload() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	var name string
	loop.Offload(
		func() { name, err = os.Readlink("/proc/self/cwd") },
		func() {
			fmt.Println(name != "", err)
			loop.Stop()
		},
	)
	loop.Run(context.Background())
	// Output: true <nil>
}
