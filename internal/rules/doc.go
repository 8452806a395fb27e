// Package rules has the tests of what no single package can promise: who imports whom, that all input and output goes through
// the World, where files, signals and the clock may be touched, where goroutines may be started, and that the documents' code compiles.
package rules
