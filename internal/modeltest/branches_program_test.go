package modeltest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// growth is a program in the language of cancel trees: moves, one after the other. Branches have
// numbers, those of the loops' own contexts first. A move that is not possible is left out, as one
// that names a branch that was never made. So each part of a program is a program.
type growth []move

type move struct {
	kind  moveKind
	n, of int  // the branch that it is about, or makes; what that is made of
	sort  sort // of a new branch
	by    int  // who does it: a task, by its number; or byGoroutine, or the callback of a loop
	how   int  // one of some ways, and the loop
	block growth
}

const byGoroutine = -1 // below that are callbacks: of loop 0, 1, …

type moveKind int

const (
	makeBranch moveKind = iota
	leaveTask           // it returns
	waitGroup           // for a group without members, which ends it
	cutBranch           // cancel, or let the time be over
	watchBranch
	holdLoop // in the middle of a turn; the block is done meanwhile, a move after the other
	atOnce   // the moves of the block race
)

func (p growth) String() string {
	var b strings.Builder
	p.write(&b, "")
	return b.String()
}

func (p growth) write(b *strings.Builder, indent string) {
	for _, m := range p {
		fmt.Fprint(b, indent, m.String())
		if m.block != nil {
			b.WriteString(" {\n")
			m.block.write(b, indent+"\t")
			b.WriteString(indent + "}")
		}
		b.WriteByte('\n')
	}
}

func (m move) String() string {
	switch m.kind {
	case makeBranch:
		s := fmt.Sprintf("%d = %s of %d", m.n, sortNames[m.sort], m.of)
		if m.sort == toLoop {
			s += fmt.Sprint(": ", m.loop())
		}
		return fmt.Sprintf("%s, in %s (variant %d)", s, whoNames(m.by), m.how%3)
	case leaveTask:
		return fmt.Sprintf("%d returns", m.n)
	case waitGroup:
		return fmt.Sprintf("wait for %d, in %s", m.n, whoNames(m.by))
	case cutBranch:
		return fmt.Sprintf("cancel %d, in %s (variant %d)", m.n, whoNames(m.by), m.how%4)
	case watchBranch:
		return fmt.Sprintf("%d waits with %d", m.by, m.n)
	case holdLoop:
		if m.by < 0 {
			return fmt.Sprint("hold loop ", m.loop())
		}
		if m.returns() {
			return fmt.Sprintf("hold the loop of %d, which then returns", m.by)
		}
		return fmt.Sprint("hold the loop of ", m.by)
	}
	return "at once"
}

func whoNames(by int) string {
	switch {
	case by >= 0:
		return fmt.Sprint(by)
	case by == byGoroutine:
		return "a goroutine"
	}
	return fmt.Sprint("a callback of loop ", byGoroutine-1-by)
}

func (m move) loop() int { return m.how % treeLoops }

// returns reports whether the task that holds a loop returns in the end.
func (m move) returns() bool { return m.by >= 0 && m.how%3 > 0 }

const (
	treeLoops    = 2
	mostTogether = 5 // moves in a block
)

// drawn returns the program with a seed. Its blocks are held loops, or races too.
func drawn(seed uint64, races bool) growth {
	g := &grower{r: rand.New(rand.NewPCG(seed, 1)), races: races, focus: -1}
	for i := range treeLoops {
		g.sorts = append(g.sorts, loopContext)
		g.tasks = append(g.tasks, byGoroutine, byGoroutine-1-i)
	}
	return g.draw(8+g.r.IntN(24), true)
}

type grower struct {
	r     *rand.Rand
	races bool
	sorts []sort // of the branches so far
	tasks []int  // and who could do something
	focus int    // the branch that a block is about rather than others; -1 outside blocks
}

// block draws one. What is done in it has to do with one branch: then more can happen.
func (g *grower) block(n int) growth {
	if g.focus = g.any(); g.r.IntN(3) == 0 {
		g.focus = g.of(groupScope)
	}
	p := g.draw(n, false)
	if about := g.focus; g.sorts[about] == groupScope && g.r.IntN(2) == 0 {
		p = append(p, move{kind: waitGroup, n: about, by: byGoroutine})
	}
	g.focus = -1
	return p
}

func (g *grower) draw(n int, blocks bool) (p growth) {
	for range n {
		m := move{by: g.tasks[g.r.IntN(len(g.tasks))], how: g.r.IntN(12)}
		switch k := g.r.IntN(24); {
		case k < 11:
			m.kind, m.n, m.of = makeBranch, len(g.sorts), g.any()
			if m.sort = taskScope; g.r.IntN(3) > 0 {
				m.sort = taskScope + sort(g.r.IntN(int(sorts-taskScope)))
			}
			if m.sort == memberOf {
				m.of = g.of(groupScope)
			}
		case k < 14:
			m.kind, m.n = leaveTask, g.of(taskScope, taskScope, memberOf)
		case k < 16:
			m.kind, m.n = waitGroup, g.of(groupScope)
		case k < 18:
			m.kind, m.n = watchBranch, g.any()
		case k < 21 || !blocks:
			m.kind, m.n = cutBranch, g.of(taskScope, groupScope, timeoutScope, cancelable, cancelable, foreignDone)
		case g.races && k < 24:
			m.kind, m.block = atOnce, g.block(2+g.r.IntN(mostTogether-3))
		default:
			m.kind, m.block = holdLoop, g.block(1+g.r.IntN(mostTogether-2))
		}
		if p = append(p, m); m.kind == makeBranch {
			g.sorts = append(g.sorts, m.sort)
			if m.sort.isTask() {
				g.tasks = append(g.tasks, m.n)
			}
		}
	}
	return p
}

// any is a branch, rather a late one: trees shall be deep.
func (g *grower) any() int { return g.late(len(g.sorts), func(int) bool { return true }) }

// of is a branch of one of some sorts, if there is any.
func (g *grower) of(some ...sort) int {
	want := some[g.r.IntN(len(some))]
	return g.late(len(g.sorts), func(i int) bool { return g.sorts[i] == want })
}

func (g *grower) late(n int, ok func(int) bool) (found int) {
	if g.focus >= 0 && g.focus < n && ok(g.focus) && g.r.IntN(2) == 0 {
		return g.focus
	}
	for range 10 {
		if found = max(g.r.IntN(n), g.r.IntN(n)); ok(found) {
			break
		}
	}
	return found
}

// smaller calls try with each program that is p with less in it, until one fails as p does.
func (p growth) smaller(fails func(growth) bool) (growth, bool) {
	for n := max(1, len(p)/2); n >= 1; n /= 2 {
		for i := 0; i+n <= len(p); i++ {
			if q := p.splice(i, n, nil); fails(q) {
				return q, true
			}
		}
	}
	for i, m := range p {
		if m.block == nil {
			continue
		}
		if q := p.splice(i, 1, m.block); fails(q) {
			return q, true
		}
		within := func(b growth) growth { m := m; m.block = b; return p.splice(i, 1, growth{m}) }
		if b, ok := m.block.smaller(func(b growth) bool { return len(b) > 0 && fails(within(b)) }); ok {
			return within(b), true
		}
	}
	return p, false
}

// splice returns p with other moves instead of n moves from i on.
func (p growth) splice(i, n int, in growth) growth {
	q := append(append(make(growth, 0, len(p)-n+len(in)), p[:i]...), in...)
	return append(q, p[i+n:]...)
}

// shrunk returns a program that is not much larger than it has to be to fail, as far as it finds
// one soon.
func (p growth) shrunk(fails func(growth) bool) growth {
	for begun, ok := time.Now(), true; ok; {
		p, ok = p.smaller(func(q growth) bool { return time.Since(begun) < 20*time.Second && fails(q) })
	}
	return p
}
