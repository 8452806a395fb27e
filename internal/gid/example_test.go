package gid_test

import (
	"fmt"

	"github.com/corobridge/corobridge/internal/gid"
)

func ExampleSelf() {
	mine := gid.Self()
	others := make(chan gid.ID)
	go func() { others <- gid.Self() }()
	other := <-others
	fmt.Println(mine == gid.Self(), mine == other)
	// Output: true false
}
