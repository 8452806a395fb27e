package world

import (
	"slices"
	"testing"
)

// Linux fills in the kernel's own form of the list instead, by the same rules: see
// TestWritevTakesSlicesInOrder.
func TestGatherTakesWhatOneCallMayMove(t *testing.T) {
	big := make([]byte, MaxTransfer)
	few := func(n int) (bufs [][]byte) {
		for range n {
			bufs = append(bufs, []byte("x"), nil)
		}
		return bufs
	}
	tests := map[string]struct {
		bufs    [][]byte
		lengths []int
	}{
		"none":             {nil, nil},
		"only empty ones":  {[][]byte{nil, {}}, nil},
		"empty ones go":    {[][]byte{nil, big[:2], {}, big[:3]}, []int{2, 3}},
		"as many as fit":   {few(maxSlices + 1), slices.Repeat([]int{1}, maxSlices)},
		"one beyond":       {[][]byte{append(big, 1)}, []int{MaxTransfer}},
		"across the bound": {[][]byte{big[1:], big}, []int{MaxTransfer - 1, 1}},
		"up to the bound":  {[][]byte{big, big}, []int{MaxTransfer}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var room [maxSlices][]byte
			var lengths []int
			for _, p := range gather(room[:0], tt.bufs) {
				lengths = append(lengths, len(p))
			}
			if !slices.Equal(lengths, tt.lengths) {
				t.Errorf("got %v, want %v", lengths, tt.lengths)
			}
		})
	}
}
