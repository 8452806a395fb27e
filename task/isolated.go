package task

// Isolated makes a member of a Group whose failure is its own: it cancels nobody, and Wait, which waits for it all the same, does not return it.
// An error that nobody retrieves goes to the loop's exception handler, as that of a task without a Group.
func Isolated() Option { return func(s *scope) { s.isolated = true } }

// failure is what the task's group is told of the task's error.
func (s *scope) failure(err error) error {
	if s.isolated {
		return nil
	}
	return err
}
