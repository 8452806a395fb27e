package future

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever is added and removed, short or long, a list has what a slice would have, in the same
// order.
func TestAListHasWhatASliceHas(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for _, most := range []int{3, long - 1, long, long + 1, 5 * long} {
		var l list[int]
		var want []int
		looked := false
		for e := 1; e < 20*most; e++ {
			l.add(e)
			want = append(want, e)
			for grown := len(want) >= most; len(want) > 0 && (len(want) >= most || grown && r.IntN(5) > 0); {
				gone := 1 + r.IntN(e)
				i := slices.Index(want, gone)
				if l.remove(gone) != (i >= 0) {
					t.Fatalf("seed %d, most %d: remove(%d) of %v", seed, most, gone, want)
				}
				if i >= 0 {
					want = slices.Delete(want, i, i+1)
				}
				looked = looked || l.index != nil
			}
			if l.len() != len(want) {
				t.Fatalf("seed %d, most %d: %d of %d", seed, most, l.len(), len(want))
			}
		}
		if looked != (most >= long) {
			t.Errorf("of at most %d, the places are known: %v; want %v", most, looked, (most >= long))
		}
		if got := l.compact(); !slices.Equal(got, want) {
			t.Errorf("seed %d, most %d:\ngot  %v\nwant %v", seed, most, got, want)
		}
	}
}
