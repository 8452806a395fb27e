// Command errgroup shows two ways to use golang.org/x/sync/errgroup with tasks. First, the
// goroutines of an errgroup await a task. Then a task.Group takes the errgroup's place, and its
// members are tasks themselves.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/task"
)

func main() {
	err := task.Run(context.Background(), func(ctx context.Context) error { return run(ctx, os.Stdout) })
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	shows := []func(context.Context, io.Writer) error{goroutinesAwaitATask, membersAreTasks, firstErrorCancels}
	for _, show := range shows {
		if err := show(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

func slow(ctx context.Context) (int, error) { return 7, task.Sleep(ctx, 10*time.Millisecond) }

// goroutinesAwaitATask uses errgroup as it is. Its goroutines are plain ones: Await blocks them,
// and not the loop.
func goroutinesAwaitATask(ctx context.Context, out io.Writer) error {
	t := task.Go(ctx, slow)
	g, gctx := errgroup.WithContext(ctx)
	got := make([]int, 4)
	for i := range got {
		g.Go(func() (err error) {
			got[i], err = t.Await(gctx)
			return err
		})
	}
	if err := task.Wait(ctx, g); err != nil { // g.Wait() would stop the loop, and t with it
		return err
	}
	fmt.Fprintln(out, "an errgroup's goroutines awaited a task:", got)
	return nil
}

// membersAreTasks changes only the constructor. The members share sum without a lock, since nothing
// else runs between two awaits.
func membersAreTasks(ctx context.Context, out io.Writer) error {
	g, gctx := task.NewGroup(ctx)
	g.SetLimit(2)
	sum := 0
	for range 4 {
		g.Go(func() error {
			n, err := slow(gctx)
			sum += n
			return err
		})
	}
	typed := task.Go(gctx, slow) // also a member, with a result of its own
	if err := g.Wait(); err != nil {
		return err
	}
	n, err := typed.TryResult()
	fmt.Fprintln(out, "a task.Group's members added up:", sum, "and", n)
	return err
}

var errPlanted = errors.New("one has failed")

// firstErrorCancels shows what both kinds of group do at the first error: they cancel the other
// members, and Wait returns that error.
func firstErrorCancels(ctx context.Context, out io.Writer) error {
	var cause error
	for _, start := range []func() (group, context.Context){
		func() (group, context.Context) { return errgroup.WithContext(ctx) },
		func() (group, context.Context) { return task.NewGroup(ctx) },
	} {
		g, gctx := start()
		g.Go(func() error { return errPlanted })
		g.Go(func() error {
			cause = task.Sleep(gctx, time.Hour)
			return cause
		})
		if err := task.Wait(ctx, g); !errors.Is(err, errPlanted) {
			return fmt.Errorf("%T: Wait returned %w", g, err)
		}
		fmt.Fprintf(out, "%T: %v, and so the other was cancelled: %v\n", g, errPlanted, errors.Is(cause, context.Canceled))
	}
	return nil
}

// group has the methods that both kinds have.
type group interface {
	Go(fn func() error)
	TryGo(fn func() error) bool
	SetLimit(n int)
	Wait() error
}

var _, _ group = (*errgroup.Group)(nil), (*task.Group)(nil)
