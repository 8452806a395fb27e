package stream

import (
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

// When there are no descriptors or memory left, or accepting fails otherwise, a listener pauses.
// Those who connect meanwhile wait in the kernel's backlog, and lose nothing. The listener goes on
// when one of its connections has been closed, or after acceptPause.
//
// A lack of descriptors that lasts is another matter. Then those who wait are turned away: they see
// the end of their connection, and not nothing for ever. The listener accepts them in order to
// close them, which takes a descriptor. One is kept for that.
const (
	acceptPause  = 100 * time.Millisecond
	lasting      = time.Second
	overAfter    = 3 * acceptPause // without a failed try: while something lacks there are more
	turnAwayOnce = 256             // connections: the loop has other work
	warnEvery    = time.Minute     // where connections come and go, a lack does so too
)

// backoff is a listener's pause, guarded by the listener's mutex. Only lacking is read without it.
type backoff struct {
	paused  bool          // nothing is accepted, and one resume is scheduled that ends it
	timer   reactor.Timer // that resume; zero if it is queued already
	lacking atomic.Bool   // no accept has gone well since something lacked
	since   time.Duration // of the loop's clock: when that began
	last    time.Duration // and when it was last so
	warned  bool
	warning time.Duration // when it was

	network string     // of the reserve
	reserve int        // a descriptor, -1 if there is none
	others  []*streams // of other loops that have got connections
}

func (b *backoff) init(k world.Kernel, network string) {
	b.network = network
	b.keepReserve(k)
}

// keepReserve takes a descriptor to be given up in need. Without one nobody can be turned away.
func (b *backoff) keepReserve(k world.Kernel) {
	fd, errno := k.Socket(b.network, false)
	if errno != 0 {
		fd = -1
	}
	b.reserve = fd
}

func (b *backoff) dropReserve(k world.Kernel) {
	if b.reserve >= 0 {
		k.Close(b.reserve)
		b.reserve = -1
	}
}

// pause stops accepting because of err, and returns ErrWouldBlock. However many fail at the same
// time, one resume is scheduled. full says that it is for want of descriptors, or of room in the
// poller.
func (l *Listener) pause(err error, full bool) error {
	l.mu.Lock()
	if l.backoff.paused || l.closed {
		l.mu.Unlock()
		return ErrWouldBlock
	}
	warn := l.backoff.begin(l.core.World().Now())
	if full && l.backoff.lastsTooLong(l.core.World().Now()) {
		l.turnAway()
	}
	l.backoff.timer = l.loop.CallLater(acceptPause, l.resume)
	s := streamsOf(l.loop)
	s.count(&s.stats.Backoffs)
	l.eachStreams(func(s *streams) { s.paused = append(s.paused, l) })
	l.mu.Unlock()
	if warn {
		l.core.Logger().Warn("stream: accepting pauses", slog.String("listener", l.Addr().String()), slog.Any("error", err))
	}
	l.core.Backoff("accept", err, acceptPause)
	return ErrWouldBlock
}

// begin begins a pause, and reports whether there is to be a warning.
func (b *backoff) begin(now time.Duration) (warn bool) {
	b.paused = true
	if !b.lacking.Swap(true) || now-b.last >= overAfter {
		b.since = now
	}
	b.last = now
	if b.warned && now-b.warning < warnEvery {
		return false
	}
	b.warned, b.warning = true, now
	return true
}

func (b *backoff) lastsTooLong(now time.Duration) bool { return now-b.since >= lasting }

// enough notes that an accept has gone well.
func (l *Listener) enough() {
	b := &l.backoff
	if !b.lacking.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b.lacking.Store(false)
	if l.closed {
		return
	}
	if b.reserve < 0 { // when it was given up, somebody else got it
		b.keepReserve(l.kernel)
	}
}

// pauseForATurn lets others have their turn when connections keep coming that have gone again. It
// is called locked.
func (l *Listener) pauseForATurn() {
	l.backoff.paused = true
	l.core.Post(callback(l.resume)) // a closed loop closes its listeners
}

// resumeSoon brings the resume forward, since a connection has been closed. It moves the one that
// is scheduled: a second would end the next pause as soon as it has begun.
func (l *Listener) resumeSoon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.backoff.timer.Stop() {
		l.backoff.timer = reactor.Timer{}
		l.core.Post(callback(l.resume))
	}
}

// resume ends a pause.
func (l *Listener) resume() {
	l.mu.Lock()
	if l.closed || !l.backoff.paused {
		l.mu.Unlock()
		return
	}
	l.endPause()
	l.tellAcceptors()
}

// endPause is called locked.
func (l *Listener) endPause() {
	b := &l.backoff
	if !b.paused {
		return
	}
	b.paused = false
	b.timer.Stop()
	b.timer = reactor.Timer{}
	l.eachStreams(func(s *streams) { s.paused = slices.DeleteFunc(s.paused, func(o *Listener) bool { return o == l }) })
}

// turnAway closes the connections that wait to be accepted. It is called locked.
func (l *Listener) turnAway() {
	b, s := &l.backoff, streamsOf(l.loop)
	b.dropReserve(l.kernel)
	for range turnAwayOnce {
		fd, _, errno := l.kernel.Accept(l.fd)
		if errno != 0 && !cameAndWent(errno) { // nobody is left, or no descriptor is
			break
		}
		if errno == 0 {
			l.kernel.Close(fd)
			s.count(&s.stats.TurnedAway)
		}
	}
	b.keepReserve(l.kernel)
}

// eachStreams calls fn, locked, for each loop that may have connections of the listener. It is
// called with the listener's mutex.
func (l *Listener) eachStreams(fn func(s *streams)) {
	for _, s := range append(l.backoff.others[:len(l.backoff.others):len(l.backoff.others)], streamsOf(l.loop)) {
		s.mu.Lock()
		fn(s)
		s.mu.Unlock()
	}
}

// sendsTo notes that another loop gets a connection.
func (l *Listener) sendsTo(s *streams) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.backoff.others, s) {
		l.backoff.others = append(l.backoff.others, s)
	}
}

// outOfResources reports whether an error is one that passes: there are no descriptors, no memory,
// or no room in the poller, just now.
func outOfResources(err error) bool {
	return err != nil && isOneOf(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC)
}

func isOneOf(err error, errnos ...syscall.Errno) bool {
	return slices.ContainsFunc(errnos, func(e syscall.Errno) bool { return errors.Is(err, e) })
}
