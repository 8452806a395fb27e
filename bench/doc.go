// Package bench compares tasks and groups with goroutines, golang.org/x/sync/errgroup and
// github.com/sourcegraph/conc. It is a module of its own, so corobridge does not depend on them.
//
//	cd bench
//	go test -bench . -benchmem -count 10 ./...
//
// Compare rows of one run: take the smallest figure of each, or use benchstat, and look at the
// ratio. The figures themselves depend on the machine. Rows that belong together share the name of
// the benchmark: BenchmarkChildren/task, BenchmarkChildren/errgroup. Add -cpu 1 for a fair
// comparison: a loop uses one processor, and goroutines use all there are.
package bench
