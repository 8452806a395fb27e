package task

import "context"

// Isolated makes a member of a Group whose failure is its own: it cancels nobody, and Wait, which waits for it all the same, does not return it,
// nor does Errors. An error that nobody retrieves goes to the loop's exception handler, as that of a task without a Group.
func Isolated() Option { return func(s *scope) { s.traits |= isolated } }

// withdraw cancels a task, and nobody above it, for the reason cause.
func (s *scope) withdraw(cause error) {
	f := finished(context.Canceled, cause)
	f.from = s.group
	s.cancel(f)
}

// withdrawn reports whether a task that is over was cancelled in that way, or with another task of its group that was.
func (s *scope) withdrawn() bool { return s.group != nil && s.real.Load().ended().from == s.group }

// failure is what the group of a task that is over is told of its error. Expected says that the error only tells of the task's
// cancellation: who did that knows of it, if it was no cancellation of the group.
func (s *scope) failure(err error, expected bool) error {
	if x := s.extra; x != nil && x.beforeStarted != nil {
		take := x.beforeStarted
		x.beforeStarted = nil // it leads back to the task
		if take(err) {
			return nil
		}
	}
	if s.is(isolated) || err != nil && expected && s.withdrawn() {
		return nil
	}
	return err
}
