package modeltest

import "fmt"

// act is a move that is possible.
type act struct {
	move
	b      *branch
	by     *branch // nil for none of the tasks
	in     int     // the loop whose callback does it; -1 for none
	holder bool    // it is done by whoever holds a loop
	why    string  // of a cut
	wait   int     // the number of a wait
}

// site is what is known of a block while its moves are planned. A single move is a block too.
type site struct {
	f      *forest
	race   bool
	before reasons

	held   int     // a loop; -1 for none
	holder *branch // nil for a callback

	acts    []act
	busy    map[*branch]bool // tasks that have something to do
	leaving map[*branch]bool
	waiting map[*branch]bool // groups that are waited for
	joining map[*branch]bool // groups that get a member
}

func newSite(f *forest) *site {
	return &site{f: f, before: f.reasons(), held: -1, busy: map[*branch]bool{}, leaving: map[*branch]bool{}, waiting: map[*branch]bool{}, joining: map[*branch]bool{}}
}

// plan makes an act of a move, if it is possible.
func (s *site) plan(m move) (a act, ok bool) {
	a = act{move: m, b: s.f.branches[m.n], in: -1}
	if m.kind != makeBranch && (a.b == nil || !a.b.known) {
		return a, false
	}
	switch m.kind {
	case makeBranch:
		ok = s.planMake(&a)
	case leaveTask:
		ok = s.f.mayLeave(a.b) && !s.busy[a.b] && !s.leaving[a.b] && a.b.loop != s.held
		for g := range s.joining {
			ok = ok && !(s.race && g.maker == a.b)
		}
		if ok {
			s.leaving[a.b] = true
		}
	case waitGroup:
		ok = s.planWait(&a)
	case cutBranch:
		a.why, ok = s.f.cutFor(a.b, m.how)
		s.assign(&a)
	case watchBranch:
		a.by = s.f.branches[m.by]
		ok = a.b.usable && a.by.works() && !s.leaving[a.by] && !(s.race && s.busy[a.by])
		if ok {
			a.wait = a.by.waits + 1
		}
	}
	if !ok {
		return a, false
	}
	if a.by != nil {
		s.busy[a.by] = true
	}
	s.acts = append(s.acts, a)
	if !s.race {
		s.note(a)
	}
	return a, true
}

// works reports whether b is a task that can be told something.
func (b *branch) works() bool { return b != nil && b.sort.isTask() && b.usable && !b.left }

// assign finds out who does it. A goroutine stands in for whoever can't.
func (s *site) assign(a *act) {
	if by := s.f.branches[a.move.by]; by.works() && !s.leaving[by] && (by.loop != s.held || by == s.holder) {
		a.by, a.holder = by, by == s.holder
		return
	}
	if loop := byGoroutine - 1 - a.move.by; loop >= 0 {
		switch {
		case loop != s.held:
			a.in = loop
		case s.holder == nil:
			a.holder = true
		}
	}
}

func (s *site) planMake(a *act) bool {
	of := s.f.branches[a.of]
	if a.b != nil || of == nil || !of.usable || a.sort == memberOf && (of.sort != groupScope || of.waited || s.waiting[of]) {
		return false
	}
	a.b = &branch{n: a.n, sort: a.sort, loop: of.loop, made: of, how: a.how}
	if a.sort == toLoop {
		a.b.loop = a.loop()
	}
	if a.b.sort.isTask() {
		g := a.b.group()
		if g != nil && s.race && (s.waiting[g] || s.leaving[g.maker]) {
			return false
		}
		if g != nil {
			s.joining[g] = true
		}
	}
	s.assign(a)
	if a.sort == groupScope {
		a.b.maker = a.by
	}
	s.f.plant(a.b)
	return true
}

func (s *site) planWait(a *act) bool {
	g := a.b
	if g.sort != groupScope || g.waited || s.waiting[g] || s.race && s.joining[g] {
		return false
	}
	members := s.f.members(g)
	for b, leaves := range s.leaving {
		if leaves && s.race && b.group() == g {
			members--
		}
	}
	if members > 0 {
		return false
	}
	if s.assign(a); a.in >= 0 || a.holder && a.by == nil { // a callback can't wait
		a.in, a.holder = -1, false
	}
	s.waiting[g] = true
	return true
}

// cutFor returns why b ends if it is cut in that way, and whether it can be.
func (f *forest) cutFor(b *branch, how int) (why string, ok bool) {
	switch b.sort {
	case taskScope, groupScope:
	case timeoutScope:
		if how%4 == 1 {
			return inTime, true
		}
		return noCause, true
	case cancelable:
		if how%4 == 0 || b.how%3 > 0 {
			return noCause, true
		}
	case foreignDone:
		if b.how%3 == 1 {
			return inTime, true
		}
		return noCause, true
	default:
		return "", false
	}
	f.causes++
	return fmt.Sprint("cause ", f.causes), true
}

// note notes what has come of an act, apart from the ends of contexts.
func (s *site) note(a act) {
	switch a.kind {
	case makeBranch:
		a.b.known = true
		a.b.usable = !a.b.sort.isTask() || a.b.loop != s.held
		if a.b.sort.isTask() {
			a.b.with = a.b
		}
	case leaveTask:
		a.b.left = true
	case waitGroup:
		a.b.waited = true
	case watchBranch:
		a.by.with = a.b
		a.by.waits = a.wait
	}
}

// events returns what the acts are to the contexts.
func (s *site) events() (es []happening) {
	for _, a := range s.acts {
		switch a.kind {
		case makeBranch:
			es = append(es, happening{b: a.b, made: true})
		case cutBranch:
			es = append(es, happening{b: a.b, why: a.why})
		case waitGroup:
			es = append(es, happening{b: a.b})
		case leaveTask:
			if a.b.sort == taskScope {
				es = append(es, happening{b: a.b})
			}
		}
	}
	return es
}
