package task

import (
	"context"
	"unsafe"
)

// SizeOfTask is what one task costs, beside its coroutine.
const SizeOfTask = unsafe.Sizeof(Task[int]{})

// Made reports whether somebody has asked a task's context for Done: whether it is more than a
// scope.
func Made(ctx context.Context) bool { return ctx.(*scope).real.Load() != nil }

// Values returns the context that has the values of ctx, a task's.
func Values(ctx context.Context) context.Context { return ctx.(*scope).setting.values }

// Deadlines returns how many deadlines of timeouts ctx, a task's, keeps.
func Deadlines(ctx context.Context) (n int) {
	for v := ctx.(*scope).setting.values; ; n++ {
		d, ok := v.(*deadlineContext)
		if !ok {
			return n
		}
		v = d.Context
	}
}
