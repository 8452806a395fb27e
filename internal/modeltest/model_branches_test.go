package modeltest

import "slices"

// forest is the model of cancellation: contexts, what each was made of, and why it has ended. It
// knows no loop and no order of wake-ups; it only says who ends with whom.
//
// A scope (a task, a group, a timeout) that ends by itself, as a task does that returns, ends
// whatever package context or another loop has made of it. The scopes below it, on the same loop,
// go on as if they had been made of what is above it. Every other end takes along all that is
// below.
type forest struct {
	branches map[int]*branch
	order    []*branch // each after the one that it was made of
	causes   int       // that have been given
}

// branch is a context. What it was made of does not change.
type branch struct {
	n    int
	at   int // in the forest's order
	sort sort
	loop int     // of a scope: where it is; of others: where scopes made of it will be
	made *branch // nil for a loop's own context
	why  string  // it has ended; empty while it is open

	// what is not of the context itself
	how    int     // it was made
	known  bool    // it has been made, and can be cancelled
	usable bool    // somebody has the context: of a task, when that has begun
	left   bool    // the task has returned
	maker  *branch // the task that has made a group; nil if none has
	waited bool    // the group's Wait has returned
	with   *branch // with which a task that is idle waits
	waits  int     // how often it was told with which
}

type sort int

const (
	loopContext  sort = iota
	taskScope         // of task.Go
	memberOf          // the context of a group, seen by a task that the group's Go has started
	groupScope        // of task.NewGroup
	timeoutScope      // of task.WithTimeout or WithDeadline
	valueOnly         // of context.WithValue, or a user's type that embeds a context
	toLoop            // of reactor.WithLoop
	cancelable        // of package context
	foreignDone       // a user's type with a Done of its own
	withoutEnd        // of context.WithoutCancel
	sorts
)

var sortNames = [...]string{"loop", "task", "member", "group", "timeout", "value", "with loop", "package context", "own context", "without cancel"}

// Why something has ended, unless somebody gave a cause.
const (
	byItself = "it has ended by itself"
	noCause  = "cancelled without a cause"
	inTime   = "its time is over"
	atClose  = "the loop is closed"
)

func (s sort) isTask() bool  { return s == taskScope || s == memberOf }
func (s sort) isScope() bool { return s == taskScope || s == groupScope || s == timeoutScope }

// passesOn reports whether such a context only shows the one that it was made of.
func (s sort) passesOn() bool { return s == valueOnly || s == toLoop || s == memberOf }

// cuts reports whether such a context does not end with the one that it was made of.
func (s sort) cuts() bool { return s == foreignDone || s == withoutEnd }

func newForest(loops int) *forest {
	f := &forest{branches: map[int]*branch{}}
	for i := range loops {
		f.plant(&branch{n: i, sort: loopContext, loop: i, known: true, usable: true})
	}
	return f
}

func (f *forest) plant(b *branch) {
	f.branches[b.n] = b
	b.at = len(f.order)
	f.order = append(f.order, b)
}

// reasons is why each branch has ended, in the forest's order.
type reasons []string

func (f *forest) reasons() (r reasons) {
	for _, b := range f.order {
		r = append(r, b.why)
	}
	return r
}

// happening is what can happen to a forest: a branch is made, ends by itself, or is cancelled.
type happening struct {
	b    *branch
	made bool
	why  string // it is cancelled; empty if it ends by itself
}

func (f *forest) happen(e happening, r reasons) {
	switch {
	case e.made:
		if !e.b.sort.cuts() {
			r[e.b.at] = r[e.b.made.at]
		}
	case r[e.b.at] != "":
	case e.why != "":
		f.cancel(e.b, e.why, r)
	default:
		f.finish(e.b, r)
	}
}

// cancel ends b, and all below it that is open.
func (f *forest) cancel(cancelled *branch, why string, r reasons) {
	reached := make([]bool, len(f.order))
	reached[cancelled.at] = true
	for i, b := range f.order {
		if b.made != nil && !b.sort.cuts() && reached[b.made.at] {
			reached[i] = true
		}
		if reached[i] && r[i] == "" {
			r[i] = why
		}
	}
}

// finish ends b by itself.
func (f *forest) finish(over *branch, r reasons) {
	const same, hard = 1, 2 // it is the same context, or one that ends with it
	ends := make([]int, len(f.order))
	ends[over.at] = same
	for i, b := range f.order {
		switch {
		case b.made == nil || b.sort.cuts() || ends[b.made.at] == 0:
		case ends[b.made.at] == hard:
			ends[i] = hard
		case b.sort.passesOn():
			ends[i] = same
		case !b.sort.isScope() || b.loop != over.loop:
			ends[i] = hard
		}
		if ends[i] != 0 && r[i] == "" {
			r[i] = byItself
		}
	}
}

// closeAll ends all scopes: the loops are closed.
func (f *forest) closeAll() {
	r := f.reasons()
	for _, b := range f.order {
		if b.sort == loopContext || b.sort.isScope() {
			f.cancel(b, atClose, r)
		}
	}
	for i, b := range f.order {
		b.why = r[i]
	}
}

// ought is why each branch may have ended after some happenings. If they race, any order is
// possible. If not, things are made in the given order, but word of an end may come as late as it
// likes. So an end may be seen after what follows it, and never before what precedes it.
func (f *forest) ought(all []happening, race bool) possible {
	p := make(possible, len(f.order))
	var proceed func(r reasons, left []happening)
	proceed = func(r reasons, left []happening) {
		if len(left) == 0 {
			p.add(r)
		}
		for i, e := range left {
			next := slices.Clone(r)
			f.happen(e, next)
			if proceed(next, slices.Delete(slices.Clone(left), i, i+1)); e.made && !race {
				return // nothing that follows precedes it
			}
		}
	}
	proceed(f.reasons(), all)
	return p
}

// possible is why each branch may have ended, in the forest's order.
type possible [][]string

func (p possible) add(r reasons) {
	for i, why := range r {
		if !slices.Contains(p[i], why) {
			p[i] = append(p[i], why)
		}
	}
}

// torn reports whether b is open but what it was made of has ended in a way that ends b: then it
// has not heard yet.
func (f *forest) torn(b *branch, why func(*branch) string) bool {
	if b.made == nil || b.sort.cuts() || why(b) != "" || why(b.made) == "" {
		return false
	}
	up := b.made
	for up.sort.passesOn() {
		up = up.made
	}
	return !(why(up) == byItself && up.sort.isScope() && b.sort.isScope() && b.loop == up.loop)
}

// group is the group that a task belongs to, nil if there is none.
func (b *branch) group() *branch {
	for u := b.made; u != nil; u = u.made {
		if u.sort == groupScope {
			return u
		}
	}
	return nil
}

// members counts a group's tasks that have not returned.
func (f *forest) members(g *branch) (n int) {
	for _, b := range f.order {
		if b.sort.isTask() && !b.left && b.group() == g {
			n++
		}
	}
	return n
}

// mayLeave reports whether a task can return with nothing else to happen: the groups that it has
// made would be awaited, and cancelled if they were not waited for.
func (f *forest) mayLeave(t *branch) bool {
	if !t.sort.isTask() || t.left || !t.usable {
		return false
	}
	for _, b := range f.order {
		if b.maker == t && (!b.waited || f.members(b) > 0) {
			return false
		}
	}
	return true
}
