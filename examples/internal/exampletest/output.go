package exampletest

import (
	"strings"
	"testing"
	"time"
)

// Output is an io.Writer that keeps what a program prints until a test asks for it.
type Output chan string

// NewOutput makes an Output with room for any reasonable number of prints.
func NewOutput() Output { return make(Output, 10000) }

// Write takes one print.
func (o Output) Write(p []byte) (int, error) {
	o <- string(p)
	return len(p), nil
}

// Next waits for the next print, and returns it without its end of line.
func (o Output) Next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-o:
		return strings.TrimRight(s, "\n")
	case <-time.After(patience):
		t.Fatal("nothing more is printed, want a line")
		return ""
	}
}

// Expect waits for these prints, in this order.
func (o Output) Expect(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if got := o.Next(t); got != want {
			t.Fatalf("printed %q, want %q", got, want)
		}
	}
}
