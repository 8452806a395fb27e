package modeltest

import (
	"fmt"
	"strings"
	"sync"
)

// ledger has what has to hold in every order of things: of a lock, that it is never had twice; of
// items, that each is delivered once, or left; of results, that all who wait for one see the same.
type ledger struct {
	accounts sync.Mutex
	faults   []string

	held     [kinds][promises]int // permits, or how many have the lock
	waiting  map[station]int
	items    int         // that were made
	put, got map[int]int // how often
	saw      []sight
}

// station is where somebody waits.
type station struct {
	kind kind
	n    int
}

// wait notes that somebody begins to wait, or is about to see that he need not; the function that
// it returns, that he does no longer.
func (l *ledger) wait(k kind, n int) (done func()) {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	if l.waiting == nil {
		l.waiting = map[station]int{}
	}
	l.waiting[station{k, n}]++
	return func() {
		l.accounts.Lock()
		defer l.accounts.Unlock()
		l.waiting[station{k, n}]--
	}
}

// forgotten returns where somebody waits for what is there. If it returns the same for long, he has
// been forgotten.
func (l *ledger) forgotten(w *library) (at []string) {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	for s, n := range l.waiting {
		there := false
		switch s.kind {
		case await:
			there = w.ended(s.n)
		case receive:
			there = w.promises[s.n].Future().Completed()
		case mutex, take:
			there = l.held[s.kind][s.n] == 0
		case read, write:
			there = l.held[read][s.n]+l.held[write][s.n] == 0
		case get:
			there = w.queues[s.n].Len() > 0
		case put:
			there = room(s.n) == 0 || w.queues[s.n].Len() < room(s.n)
		case waitSet:
			there = w.events[s.n].IsSet()
		case meet:
			there = n > 1
		}
		if there && n > 0 {
			at = append(at, fmt.Sprint(names[s.kind], " ", s.n))
		}
	}
	return at
}

// sight is what somebody who awaited a result saw, and what would be the error of his context.
type sight struct {
	of        ref
	what, why string
}

// enter notes that somebody has what the block of the step runs with. Of what its queue says
// nothing: who has it before, has noted that he gives it back.
func (l *ledger) enter(s *step) {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	n := 1
	if s.kind == take {
		n = permits(s)
	}
	l.held[s.kind][s.a] += n
	locked, reading, writing := l.held[mutex][s.a], l.held[read][s.a], l.held[write][s.a]
	if locked > 1 || writing > 1 || writing > 0 && reading > 0 || l.held[take][s.a] > semaphore {
		l.faults = append(l.faults, "twice at once: "+s.String())
	}
}

// exit is called before the release.
func (l *ledger) exit(s *step) {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	if s.kind == take {
		l.held[take][s.a] -= permits(s)
	} else {
		l.held[s.kind][s.a]--
	}
}

// newItem returns an item that no other is like.
func (l *ledger) newItem() int {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	l.items++
	return l.items
}

func (l *ledger) hasPut(item int) { l.count(&l.put, item) }
func (l *ledger) hasGot(item int) { l.count(&l.got, item) }

func (l *ledger) count(m *map[int]int, item int) {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	if *m == nil {
		*m = map[int]int{}
	}
	(*m)[item]++
}

func (l *ledger) sawResult(of ref, what, why string) {
	l.accounts.Lock()
	defer l.accounts.Unlock()
	l.saw = append(l.saw, sight{of, what, why})
}

// account returns what is wrong with the books of a program that has ended.
func (m *machine[C]) account(w *library) string {
	l := &m.ledger
	held, left := w.left()
	for _, item := range left {
		l.hasGot(item)
	}
	for item := range l.items + 1 {
		if put, got := l.put[item], l.got[item]; put != got {
			l.faults = append(l.faults, fmt.Sprintf("item %d was put %d times, and is there %d times, want as often", item, put, got))
		}
	}
	for _, h := range held {
		l.faults = append(l.faults, "left locked: "+h)
	}
	final := map[ref]string{}
	for _, s := range l.saw {
		if final[s.of] == "" {
			final[s.of] = m.outcome(w.future(s.of).TryResult())
		}
		if s.what != final[s.of] && (s.why == "" || s.what != s.why) {
			l.faults = append(l.faults, fmt.Sprintf("who awaited %+v saw %s, want %s", s.of, s.what, final[s.of]))
		}
	}
	for id := range m.tasks {
		if w.known(id) {
			_, err := w.future(ref{n: id}).TryResult()
			if v, ok := w.words().panicked(err); ok && v != itself {
				if _, own := v.(int); !own {
					l.faults = append(l.faults, fmt.Sprintf("task %d ended with %v, want no panics but the program's", id, err))
				}
			}
		}
	}
	if m.over != m.tasks {
		l.faults = append(l.faults, fmt.Sprintf("%d tasks have run, want all %d that were started", m.over, m.tasks))
	}
	return strings.Join(l.faults, "\n")
}
