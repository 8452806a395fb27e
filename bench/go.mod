module github.com/corobridge/corobridge/bench

go 1.26.0

require github.com/corobridge/corobridge v0.0.0

require (
	github.com/sourcegraph/conc v0.3.0
	golang.org/x/sync v0.24.0
)

require (
	go.uber.org/atomic v1.7.0 // indirect
	go.uber.org/multierr v1.9.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/corobridge/corobridge => ../
