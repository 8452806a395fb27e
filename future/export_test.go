package future

// Callbacks returns how many callbacks f has.
func Callbacks[T any](f *Future[T]) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more == nil {
		return 0
	}
	return f.more.callbacks.len()
}

// Waiters returns how many wait for f.
func Waiters[T any](f *Future[T]) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.line.Len()
}
