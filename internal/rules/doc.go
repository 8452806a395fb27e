// Package rules tests what no single package can promise:
//
//   - imports run downward only, as the table in source_test.go has them, and all input and output
//     goes through the World, or the poller below it;
//   - files, signals and the clock are touched, and goroutines started, in listed places alone;
//   - the code in the documents compiles, and what they name exists;
//   - comments are at most 100 columns wide, and in plain words.
package rules
