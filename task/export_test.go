package task

import "unsafe"

// SizeOfTask is what one task costs, beside its coroutine.
const SizeOfTask = unsafe.Sizeof(Task[int]{})
