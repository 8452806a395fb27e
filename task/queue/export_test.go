package queue

// Waiting returns how many wait in any line of q.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.getters.Len() + q.putters.Len() + q.joiners.Len()
}
