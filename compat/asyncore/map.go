package asyncore

import (
	"cmp"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// Map is asyncore's socket_map: the handlers of one loop. There is no global one. NewMap and On
// make Maps. A Map is used on its loop only, or before the loop runs.
type Map struct {
	loop   *reactor.Loop // nil until a map of NewMap needs one
	core   *loop.Core    // of that loop
	shared bool          // others run the loop: it is neither stopped nor closed here
	leave  bool          // the running Loop or Poll is to free the loop
	log    func(kind, msg string)

	all    []*Dispatcher // in the order they were added
	asked  []*Dispatcher // those with predicates, in that order too
	asking []*Dispatcher // a copy while they are asked
	added  uint64
	loose  int // handlers that DelChannel took out and that are not closed yet
	guests int // tasks that go on with a connection of a map that has a loop of its own

	// The iteration: see iteration.go.
	pending []*Dispatcher // queued for the coming one
	batch   []*Dispatcher // of the one that runs
	round   uint64
	armed   bool
	hooked  bool // it is asked before the loop looks for events

	scratch []byte // what Recv lends
	failure error  // what ended the classic loop

	// The loop's timeout: see pace.go.
	every    time.Duration // how long the predicates are not asked at most; negative: no bound
	pacing   bool          // somebody runs the loop without looking at that
	ticker   reactor.Timer
	ticking  bool
	connects int  // attempts under way
	within   bool // this turn of the loop belongs to the same poll as the one before

	// Written on the loop, and read anywhere.
	members, callbacks, handOvers atomic.Uint64

	// For Close and Abort in other goroutines: core, and the goroutine that uses a map of NewMap
	// while nobody runs its loop. It may have ended: then nobody uses the map.
	door  atomic.Pointer[loop.Core]
	owner atomic.Uintptr
}

// Stats count what happened to the handlers of a map.
type Stats struct {
	Callbacks uint64 // calls of handlers' methods, predicates not included
	HandOvers uint64 // connections that were taken from a handler
}

// Option configures a Map.
type Option func(*Map)

// Logger sets the function that handlers log to. The default logs to slog.Default, and drops
// messages of the kind "warning", as asyncore does.
func Logger(fn func(kind, msg string)) Option { return func(m *Map) { m.log = fn } }

// NewMap makes a map for Loop. It opens a loop of its own when it needs one. Loop and CloseAll
// close that loop when the map is empty.
func NewMap(opts ...Option) *Map { return newMap(nil, opts) }

// On makes a map of handlers that live on l, beside its tasks.
func On(l *reactor.Loop, opts ...Option) *Map { return newMap(l, opts) }

func newMap(l *reactor.Loop, opts []Option) *Map {
	m := &Map{shared: l != nil, log: logDefault, round: 1, every: defaultTimeout, pacing: l != nil}
	for _, o := range opts {
		o(m)
	}
	m.use(l)
	m.owned()
	return m
}

func logDefault(kind, msg string) {
	switch kind {
	case "warning":
	case "error":
		slog.Error(msg)
	default:
		slog.Info(msg)
	}
}

// Loop returns the loop that m's handlers live on. Use it for timers, and for calls from other
// goroutines (CallSoon). A map of NewMap opens its loop if it has none yet. Only the functions Loop
// and Poll may run that loop.
func (m *Map) Loop() (*reactor.Loop, error) {
	if m.loop == nil {
		l, err := reactor.New()
		if err != nil {
			return nil, fmt.Errorf("asyncore: %w", err)
		}
		m.use(l)
	}
	return m.loop, nil
}

// use makes l the map's loop, unless it is nil.
func (m *Map) use(l *reactor.Loop) {
	if l != nil {
		m.loop, m.core = l, loop.From(l.Context())
		m.door.Store(m.core)
	}
}

// adopt checks that the map is on l. A map without a loop is put on l. It panics if the map is on
// another loop.
func (m *Map) adopt(l *reactor.Loop) {
	if m.loop == nil {
		m.use(l)
		m.shared, m.pacing = true, true
	}
	if m.loop != l {
		panic("asyncore: the connection belongs to another loop than the Map")
	}
}

// Len returns how many handlers there are. It may be called from any goroutine.
func (m *Map) Len() int { return int(m.members.Load()) }

// Handlers yields the handlers in the order in which they were added. As the handlers themselves,
// it is used on the loop only, or while that does not run.
func (m *Map) Handlers() iter.Seq[Handler] {
	return func(yield func(Handler) bool) {
		for _, d := range slices.Clone(m.all) {
			if !yield(d.handler.(Handler)) {
				return
			}
		}
	}
}

// Stats returns the counts. It may be called from any goroutine.
func (m *Map) Stats() Stats {
	return Stats{Callbacks: m.callbacks.Load(), HandOvers: m.handOvers.Load()}
}

// bump counts what only the loop counts.
func bump(n *atomic.Uint64) { n.Store(n.Load() + 1) }

// idle reports whether there is nothing to run a loop for.
func (m *Map) idle() bool { return len(m.all) == 0 && m.guests == 0 }

// guest counts a task for which the classic loop stays, until the task calls leave.
func (m *Map) guest() (leave func()) {
	m.guests++
	return func() {
		m.guests--
		m.stopIfIdle()
	}
}

func (m *Map) stopIfIdle() {
	if m.idle() && !m.shared && m.loop != nil {
		m.loop.Stop()
	}
}

func (m *Map) add(d *Dispatcher) {
	if d.member {
		return
	}
	m.added++
	d.member, d.order, d.round = true, m.added, 0
	d.wantRead, d.wantWrite = false, false // not in an iteration that is running already
	m.all = append(m.all, d)
	m.members.Store(uint64(len(m.all)))
	if d.methods.readable || d.methods.writable {
		m.asked = append(m.asked, d)
		m.pace()
	}
	if !m.hooked {
		m.hooked = true
		m.core.Each(loop.BeforePoll, (*asking)(m))
	}
}

func (m *Map) remove(d *Dispatcher) {
	if !d.member {
		return
	}
	d.member, d.queued = false, false
	m.all = without(m.all, d)
	m.asked = without(m.asked, d)
	m.members.Store(uint64(len(m.all)))
	m.pace()
	if len(m.all) == 0 && m.hooked {
		m.core.Not(loop.BeforePoll, (*asking)(m))
		m.hooked = false
	}
	m.stopIfIdle()
}

// without removes d, if it is there, from a list that is in order.
func without(list []*Dispatcher, d *Dispatcher) []*Dispatcher {
	if i, found := slices.BinarySearchFunc(list, d, inOrder); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}

func inOrder(a, b *Dispatcher) int { return cmp.Compare(a.order, b.order) }

// inTurn is the order in which an iteration calls them.
func inTurn(a, b *Dispatcher) int {
	return cmp.Or(cmp.Compare(a.priority, b.priority), inOrder(a, b))
}

// SetPriority sets before which handlers this one is called in an iteration: before those with a
// higher number, and, as all do at first with the number 0, among equals in the order in which they
// were added. It does not make other handlers wait for longer than one iteration. It is called as
// the handler's other methods are.
func (d *Dispatcher) SetPriority(n int) { d.priority = n }
