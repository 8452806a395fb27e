package prefetch_test

import (
	"testing"
	"unsafe"

	"github.com/corobridge/corobridge/internal/prefetch"
)

// The hint must be harmless for every address: those it is given may be stale.
func TestAnyAddressIsHarmless(t *testing.T) {
	var here [4 * prefetch.Line]byte
	for _, address := range []uintptr{0, 1, uintptr(unsafe.Pointer(&here)), ^uintptr(0), ^uintptr(0) >> 1, 1 << (unsafe.Sizeof(uintptr(0))*8 - 1)} {
		for n := range 20 {
			prefetch.Lines(address, n)
		}
	}
	for _, b := range here {
		if b != 0 {
			t.Fatal("memory has changed")
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { prefetch.Lines(0, 1) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func ExampleLines() {
	next := new([4 * prefetch.Line]byte)
	prefetch.Lines(uintptr(unsafe.Pointer(next)), 4)
	// Output:
}
