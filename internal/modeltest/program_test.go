package modeltest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A program is a block of steps for the first task. Blocks nest: a spawn has that of the new task,
// a timeout what is bounded by it.
type program []step

// step is one operation. What a and b mean depends on the kind; where they name a task or a promise
// it is taken modulo how many there are.
type step struct {
	kind  kind
	a, b  int
	must  bool // an error of the step ends its block
	block program
}

type kind uint8

const (
	end kind = iota // of a block, in bytes

	spawn   // tasks
	member  // a task by Group.Go, if there is a group
	await   // a task
	receive // a promise
	all     // children, and a promise
	race
	first // any that succeeds
	settled
	watch  // how many are done, in one of the modes
	cancel // a task, for the reason b
	cancelPromise
	resolve // a promise, with b
	reject
	sleep // for a; yields for 0

	fail
	crash // panics
	leave // calls runtime.Goexit

	timeout // after a
	shield  // what the context's end does not reach
	derive  // from the context another one, of package context
	scope   // a group that is waited for
	limited // one with a limit of a
	loose   // one that is not waited for

	mutex // a mutex, for a block
	read  // a read-write mutex
	write
	take // permits of a semaphore

	put // into a queue
	get
	shut    // a queue
	shutNow // and empty it
	set     // an event
	unset
	waitSet
	meet    // at a barrier
	breakUp // a barrier
	restore
	waitCond // on a condition, for whose lock it waits too
	signal
	broadcast

	kinds
)

var names = [kinds]string{end: "end", spawn: "spawn", member: "member", await: "await task", receive: "await promise", all: "all", race: "race",
	first: "any", settled: "all settled", watch: "wait", cancel: "cancel task", cancelPromise: "cancel promise", resolve: "resolve promise",
	reject: "reject promise", sleep: "sleep", fail: "fail", crash: "panic", leave: "goexit", timeout: "timeout", shield: "shield", derive: "derive", scope: "scope",
	limited: "limited group", loose: "loose group", mutex: "lock mutex", read: "lock for reading", write: "lock for writing", take: "take from semaphore",
	put: "put into queue", get: "get from queue", shut: "shut queue", shutNow: "shut and empty queue", set: "set event", unset: "clear event",
	waitSet: "wait for event", meet: "meet at barrier", breakUp: "abort barrier", restore: "reset barrier", waitCond: "wait on condition",
	signal: "signal condition", broadcast: "broadcast condition"}

// hasBlock reports whether a kind of step has one.
func (k kind) hasBlock() bool {
	switch k {
	case spawn, member, timeout, shield, derive, scope, limited, loose, mutex, read, write, take:
		return true
	}
	return false
}

// odds are how often each kind is drawn.
var odds = [kinds]int{spawn: 16, member: 8, await: 6, receive: 8, all: 3, race: 4, first: 2, settled: 2, watch: 2, cancel: 8,
	cancelPromise: 1, resolve: 8, reject: 3, sleep: 16, fail: 4, crash: 1, leave: 1, timeout: 4, shield: 3, derive: 2, scope: 5, limited: 5, loose: 2,
	mutex: 6, read: 5, write: 3, take: 6, put: 9, get: 9, shut: 1, shutNow: 1, set: 6, unset: 2, waitSet: 9, meet: 6, breakUp: 1, restore: 1,
	waitCond: 6, signal: 6, broadcast: 3}

// lottery is what a program draws its steps from. It does without some kinds, and so has more of
// the others.
func lottery(without uint64) (l []kind) {
	for k, n := range odds {
		if kind(k) != spawn && kind(k) != sleep && without>>k&1 != 0 {
			continue
		}
		for range n {
			l = append(l, kind(k))
		}
	}
	for range len(l) / 8 {
		l = append(l, end)
	}
	return l
}

const (
	promises = 4 // and of everything else that programs share
	deepest  = 6
	longest  = 80 // steps in all

	mostTasks = 40 // that a program starts
)

// decode makes a program of any bytes, for one loop or for several.
func decode(data []byte, in place) (p program) {
	d := &decoder{data: data, left: longest}
	d.things = []int{1, 1, 2, promises}[d.next()%4]
	few, some := d.mask(), d.mask()
	if d.next()%3 != 0 {
		few |= some
	}
	d.lottery = lottery(few)
	for len(d.data) > 0 && d.left > 0 { // the end of this block is that of the bytes
		p = append(p, d.block(deepest, in)...)
	}
	return p
}

// random returns the bytes of the program with a seed.
func random(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, 8+r.IntN(300))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

type decoder struct {
	data    []byte
	left    int
	things  int // of each sort that it uses
	lottery []kind
}

func (d *decoder) next() int {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b)
}

func (d *decoder) mask() (m uint64) {
	for i := range 6 {
		m |= uint64(d.next()) << (8 * i)
	}
	return m
}

// block reads steps up to the end.
func (d *decoder) block(depth int, in place) (p program) {
	for len(d.data) > 0 && d.left > 0 {
		k := d.lottery[d.next()%len(d.lottery)]
		if k == end {
			break
		}
		d.left--
		args := d.next()
		s := step{kind: k, a: args & 7, b: args >> 3 & 15, must: args>>6 == 3}
		switch k {
		case receive, cancelPromise, resolve, reject, mutex, read, write, take, put, get, shut, shutNow, set, unset, waitSet, meet, breakUp, restore,
			waitCond, signal, broadcast:
			s.a %= d.things
		case all, race, first, settled, watch:
			s.b %= 2 * d.things
		case sleep, timeout: // few times, so that things happen at once
			s.a /= 2
		}
		if k == spawn && in.group && args&1 != 0 {
			s.kind = member
		}
		if !s.kind.allowed(in) {
			s.kind = sleep
		}
		if s.kind.hasBlock() {
			if depth == 0 {
				continue
			}
			s.block = d.block(depth-1, in.within(s.kind))
			// who has it keeps it for a while, or others would seldom have to wait
			if s.kind >= mutex && s.b&3 != 0 {
				s.block = append(program{{kind: sleep, a: s.b & 3}}, s.block...)
			}
		}
		if args>>6 == 1 && s.kind.waits() && timeout.allowed(in) { // not for ever
			s = step{kind: timeout, a: 1 + args>>4&3, block: program{s}}
		}
		p = append(p, s)
	}
	return p
}

// waits reports whether a kind of step can wait for others for ever.
func (k kind) waits() bool {
	switch k {
	case await, receive, all, race, first, settled, watch, mutex, read, write, take, put, get, waitSet, meet, waitCond:
		return true
	}
	return false
}

// place is where a step is, as far as that matters.
type place struct {
	free     bool // several loops, where the order of things is not determined
	shielded bool // nothing may wait for what only a cancellation ends
	group    bool // what is spawned may be a member
}

// within is the place of the block of a step.
func (in place) within(k kind) place {
	task := k == spawn || k == member
	in.shielded = k == shield || in.shielded && !task
	in.group = k == scope || k == limited || k == loose || in.group && !task
	return in
}

// allowed reports whether a program may have such a step in that place.
func (k kind) allowed(in place) bool {
	switch k {
	case await, member, limited, mutex, read, write, take, put, get, waitSet, meet, waitCond:
		return !in.shielded
	}
	return true
}

// allowed reports whether all steps are.
func (p program) allowed(in place) bool {
	for _, s := range p {
		if !s.kind.allowed(in) || !s.block.allowed(in.within(s.kind)) {
			return false
		}
	}
	return true
}

// size counts steps.
func (p program) size() (n int) {
	for _, s := range p {
		n += 1 + s.block.size()
	}
	return n
}

// String writes a program in a readable form.
func (p program) String() string {
	var b strings.Builder
	p.write(&b, "")
	return b.String()
}

func (p program) write(b *strings.Builder, indent string) {
	for _, s := range p {
		b.WriteString(indent)
		if s.must {
			b.WriteString("must ")
		}
		b.WriteString(s.String())
		if s.kind.hasBlock() {
			b.WriteString(" {\n")
			s.block.write(b, indent+"\t")
			b.WriteString(indent + "}")
		}
		b.WriteByte('\n')
	}
}

func (s *step) String() string {
	name := names[s.kind]
	switch s.kind {
	case spawn:
		return fmt.Sprint(name, " ", styles[style(s)], copies(s))
	case member, shield, derive, scope, loose, leave:
		return name
	case resolve, reject, put:
		return fmt.Sprint(name, " ", s.a, " with ", s.b)
	case cancel:
		return fmt.Sprint(name, " ", s.a, " because ", s.b)
	case limited:
		return fmt.Sprint(name, " of ", limit(s))
	case timeout:
		return fmt.Sprint(name, " ", bound(s))
	case take:
		return fmt.Sprint(name, " ", s.a, " permits ", permits(s))
	case all, race, first, settled, watch:
		name += fmt.Sprintf(" of %d children", s.a%4)
		if s.b&1 != 0 {
			name += fmt.Sprint(" and promise ", s.b/2)
		}
		if s.kind == watch {
			name += fmt.Sprint(" in mode ", mode(s))
		}
		return name
	}
	return fmt.Sprint(name, " ", s.a)
}

// How a task is started.
const (
	plain = iota
	isolated
	daemon
	eager
)

var styles = []string{"", "isolated ", "daemon ", "eager "}

func style(s *step) int {
	return []int{15: plain, 1: isolated, 2: daemon, 3: eager, 4: eager, 5: eager}[s.b&15]
}

func mode(s *step) int { return s.a / 4 * (1 + s.b&1) }

func permits(s *step) int { return 1 + s.b%semaphore }

const semaphore = 3 // has so many

// room is how much a queue holds, 0 for any number.
func room(queue int) int { return (queue + 1) % 3 }

// bound is a timeout's time, which may be longer than the program runs.
func bound(s *step) int {
	if s.a == 0 && s.b > 7 {
		return 1_000_000
	}
	return s.a
}

func limit(s *step) int { return 1 + s.a%2 }

// copies is how many tasks a spawn starts, with one block.
func copies(s *step) int { return 1 + s.a/3 }

// smaller calls try with each program that is p with less in it, until one passes; which it
// returns.
func (p program) smaller(try func(program) bool) (program, bool) {
	for n := len(p) / 2; n >= 1; n /= 2 { // without some steps in a row
		for i := 0; i+n <= len(p); i++ {
			if q := p.splice(i, n, nil); try(q) {
				return q, true
			}
		}
	}
	for i, s := range p {
		if s.block != nil {
			// with what is in a block, and without the block
			if q := p.splice(i, 1, s.block); try(q) {
				return q, true
			}
			inner := func(b program) program { s := s; s.block = b; return p.splice(i, 1, program{s}) }
			if b, ok := s.block.smaller(func(b program) bool { return try(inner(b)) }); ok {
				return inner(b), true
			}
		}
		if s.must {
			s.must = false
			if q := p.splice(i, 1, program{s}); try(q) {
				return q, true
			}
		}
	}
	return p, false
}

// splice returns p with other steps instead of n steps from i on.
func (p program) splice(i, n int, in program) program {
	q := make(program, 0, len(p)-n+len(in))
	q = append(append(q, p[:i]...), in...)
	return append(q, p[i+n:]...)
}

// shrunk returns a program that is not much larger than it has to be to fail, as far as it finds
// one soon.
func (p program) shrunk(fails func(program) bool) program {
	for begun, ok := time.Now(), true; ok; {
		p, ok = p.smaller(func(q program) bool { return time.Since(begun) < 10*time.Second && fails(q) })
	}
	return p
}
