// Package bench compares tasks and groups with goroutines, golang.org/x/sync/errgroup and github.com/sourcegraph/conc. It is a module of its own,
// so that what it compares with is no dependency of corobridge.
//
//	cd bench
//	go test -bench . -benchmem -count 10 ./...
//
// What counts is the ratio of two rows of one run, their smallest figures or by benchstat: the figures themselves are the machine's. The rows of a comparison have
// the name of the benchmark in common, as BenchmarkChildren/task and BenchmarkChildren/errgroup. With -cpu 1 goroutines have
// no second processor to go to, as a loop has none.
package bench
