//go:build race

package world

import (
	"runtime"
	"unsafe"
)

// The race detector can't see what the kernel does to memory in a raw system call. These two
// functions tell it. The system calls themselves are the same code in every build.

// kernelWrote is called after the kernel has filled p.
func kernelWrote(p []byte) {
	if len(p) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(p)), len(p))
	}
}

// kernelReads is called before the kernel copies p.
func kernelReads(p []byte) {
	if len(p) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(p)), len(p))
	}
}
