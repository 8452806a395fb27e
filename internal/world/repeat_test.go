package world

import (
	"syscall"
	"testing"
)

func TestACallThatIsInterruptedIsRepeated(t *testing.T) {
	type result struct {
		n     int
		errno syscall.Errno
	}
	const interrupted = syscall.EINTR
	tests := map[string]struct {
		calls []result
		want  result
	}{
		"at once":          {[]result{{7, 0}}, result{7, 0}},
		"the third time":   {[]result{{-1, interrupted}, {-1, interrupted}, {7, 0}}, result{7, 0}},
		"and then fails":   {[]result{{-1, interrupted}, {-1, syscall.EPIPE}}, result{0, syscall.EPIPE}},
		"or blocks":        {[]result{{-1, syscall.EAGAIN}}, result{0, syscall.EAGAIN}},
		"or moves no more": {[]result{{-1, interrupted}, {0, 0}}, result{0, 0}},
	}
	for name, tt := range tests {
		made := 0
		n, errno := repeat(func() (int, syscall.Errno) {
			r := tt.calls[made]
			made++
			return r.n, r.errno
		})
		if got := (result{n, errno}); got != tt.want || made != len(tt.calls) {
			t.Errorf("%s: %v after %d calls, want %v after %d", name, got, made, tt.want, len(tt.calls))
		}
	}
}
