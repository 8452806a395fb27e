package gid

import (
	"bytes"
	"runtime"
	"strconv"
)

// Number returns the calling goroutine's number, as stack traces print it. It is never reused, and
// costs a stack trace.
func Number() uint64 { return uint64(fromStack()) }

// InBubble reports whether the calling goroutine is in a bubble of testing/synctest, by the heading
// of its stack trace.
func InBubble() bool {
	var buf [128]byte
	heading, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("\n"))
	return bytes.Contains(heading, []byte(", synctest bubble "))
}

// fromStack returns the number of the calling goroutine. It is Self where there is no assembly,
// and the tests' oracle where there is.
func fromStack() ID {
	var buf [64]byte // the heading is all that's wanted; the rest is cut off
	return goroutineNumber(buf[:runtime.Stack(buf[:], false)])
}

// goroutineNumber returns N of a trace that begins "goroutine N ". It panics if there is none, or
// if N doesn't fit into an ID (after 2³² goroutines on a 32-bit machine): a wrong identity would
// be worse, as two goroutines would share it.
func goroutineNumber(trace []byte) ID {
	rest, ok := bytes.CutPrefix(trace, []byte("goroutine "))
	digits, _, ended := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, strconv.IntSize)
	if !ok || !ended || err != nil || n == 0 {
		panic("gid: no usable goroutine number in the stack trace " + strconv.Quote(string(trace)))
	}
	return ID(n)
}
