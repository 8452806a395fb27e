//go:build unix && !aix

package poll

import (
	"math"
	"testing"
	"time"
)

// What a wait is rounded to can't be seen from outside: a process that was not scheduled has waited
// longer too.
func TestTimeoutsAreRoundedUpToTheUnit(t *testing.T) {
	const never = time.Duration(math.MaxInt64)
	for timeout, want := range map[time.Duration]struct{ ms, us int64 }{
		0:                    {0, 0},
		1:                    {1, 1},
		time.Microsecond:     {1, 1},
		time.Microsecond + 1: {1, 2},
		time.Millisecond - 1: {1, 1000},
		time.Millisecond:     {1, 1000},
		time.Millisecond + 1: {2, 1001},
		time.Second + 1:      {1001, 1_000_001},
		never:                {math.MaxInt32, longestSelect.Microseconds()},
	} {
		if got := milliseconds(timeout); int64(got) != want.ms {
			t.Errorf("%v: %d ms, want %d", timeout, got, want.ms)
		}
		tv := timeval(timeout)
		if got := int64(tv.Sec)*1_000_000 + int64(tv.Usec); got != want.us {
			t.Errorf("%v: %d µs, want %d", timeout, got, want.us)
		}
	}
	if got := milliseconds(-1); got != -1 {
		t.Errorf("no bound: %d ms, want %d", got, -1)
	}
}
