package future_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/corobridge/corobridge/future"
)

func ExampleMap() {
	name, promise := future.New[string]()
	length := future.Map(name, func(s string) (int, error) { return len(s), nil })
	go promise.Resolve("corobridge")
	fmt.Println(length.Await(context.Background()))
	// Output: 10 <nil>
}

func ExampleThen() {
	user := future.Resolved("ann")
	mail := future.Then(user, func(name string) *future.Future[string] {
		return future.FromFunc(context.Background(), func(context.Context) (string, error) { return name + "@example.org", nil })
	})
	fmt.Println(mail.Await(context.Background()))
	// Output: ann@example.org <nil>
}

func ExampleCatch() {
	missing := future.Failed[string](errors.New("not found"))
	page := future.Catch(missing, func(err error) (string, error) { return strings.ToUpper(err.Error()), nil })
	fmt.Println(page.Await(context.Background()))
	// Output: NOT FOUND <nil>
}

func ExampleFinally() {
	work, promise := future.New[int]()
	done := future.Finally(work, func() { fmt.Println("released") })
	promise.Fail(errors.New("broken"))
	fmt.Println(done.Await(context.Background()))
	// Output:
	// released
	// 0 broken
}

func ExampleShield() {
	work, promise := future.New[int]()
	shielded := future.Shield(work)
	shielded.Cancel(errors.New("not mine to stop"))
	promise.Resolve(42)
	fmt.Println(shielded.TryResult())
	fmt.Println(work.TryResult())
	// Output:
	// 0 not mine to stop
	// 42 <nil>
}
