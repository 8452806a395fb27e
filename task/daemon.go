package task

// Daemon makes a member of a Group that serves the others: Wait does not wait for it to end by itself, but cancels it, with the
// cause ErrEnded, when all others have ended, and then awaits it. So it needs a Wait that waits to be cancelled; one that gives up
// cancels nobody. What a daemon starts with its context is a daemon too, but for the members of a Group that it makes.
//
// A daemon that fails before fails the group, as any member does; there is Isolated for one that may. A task without a Group is one of the
// loop's, which is cancelled when main, or Close, ends everything: there Daemon changes nothing.
func Daemon() Option { return func(s *scope) { s.traits |= daemon } }

// superfluous returns the daemons that are to be dismissed, each of them once: if nobody else is left and somebody waits for that. It is called
// under the mutex.
func (g *Group) superfluous() []*scope {
	if g.members > 0 || len(g.waiters) == 0 {
		return nil
	}
	dismissed := g.daemons
	g.leaving += len(dismissed)
	g.daemons = nil
	return dismissed
}

// dismiss cancels daemons, in the order in which they were started.
func dismiss(daemons []*scope) {
	for _, d := range daemons {
		d.withdraw(ErrEnded)
	}
}
