package reactor

import "time"

// Look has fn called once, when nothing else of the loop runs: now, if the caller is on the loop, or if nobody runs the loop and so
// nobody begins to meanwhile; otherwise between two entries of the ready queue, or when the run ends. fn must not run, close or hold the
// loop, nor call Local: it is called locked. It is for the packages of this module.
func (l *Loop) Look(fn func()) {
	if l.InLoop() {
		fn()
		return
	}
	l.life.Lock()
	defer l.life.Unlock()
	if !l.running {
		fn()
		return
	}
	l.asked = append(l.asked, fn)
	l.Post(callback(l.answer)) // if it is closed by now, or stops first, finish answers
}

func (l *Loop) answer() {
	l.life.Lock()
	defer l.life.Unlock()
	l.answerAll()
}

// answerAll is called by who runs the loop, with life locked.
func (l *Loop) answerAll() {
	for _, fn := range l.asked {
		fn()
	}
	l.asked = nil
}

// BeforeSleep has fn called on the loop each time before it blocks. forever is whether the loop knows of nothing that could ever end that, but
// for another goroutine, or a signal that ends the program. If fn returns a positive time, the loop blocks no longer than that, and then calls fn
// again. It is called on the loop, by package task in debug mode.
func (l *Loop) BeforeSleep(fn func(forever bool) (again time.Duration)) { l.beforeSleep = fn }

// lookBeforeSleep calls beforeSleep, and returns how long the loop may block after that.
func (l *Loop) lookBeforeSleep(limit, wait time.Duration) time.Duration {
	if l.door.mail.Load() {
		return wait
	}
	var again time.Duration
	l.guarded("before sleep", func() { again = l.beforeSleep(wait < 0 && l.forsaken()) })
	if wait = l.patience(limit); again > 0 && (wait < 0 || again < wait) {
		return again
	}
	return wait
}

// forsaken reports whether nothing that the loop watches, runs elsewhere or is held for could give it something to do.
func (l *Loop) forsaken() bool {
	if l.ending || l.fds.len() > 0 || l.loc.handlesSignals() {
		return false
	}
	l.life.Lock()
	defer l.life.Unlock()
	return len(l.holds) == 0
}

// handlesSignals asks for handlers that AddSignal has added. Those of NextSignal are there for the end of the program.
func (s *locals) handlesSignals() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[signalsKey{}]
	if v == nil {
		return false
	}
	signals, ok := v.value.(*signals)
	return ok && signals.lasting()
}
