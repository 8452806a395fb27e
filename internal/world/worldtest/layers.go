// Package worldtest holds worlds for tests.
package worldtest

import (
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
)

// On returns a layer that is w. It stores the World below in below, which is a field of w.
func On(w world.World, below *world.World) world.Layer {
	return func(b world.World) world.World {
		*below = b
		return w
	}
}

// Find returns the part of a World that is a T; it looks inward. ok is false if there is none. It
// sees through the layers of this package and the fault layer.
func Find[T any](w world.World) (part T, ok bool) {
	for {
		if part, ok = w.(T); ok {
			return part, true
		}
		layer, more := w.(interface{ Unwrap() world.World })
		if !more {
			return part, false
		}
		w = layer.Unwrap()
	}
}

// layer is a World around another one.
type layer struct{ world.World }

func (l layer) Unwrap() world.World { return l.World }

// NoFaults keeps the faults of the environment away.
func NoFaults(w world.World) world.World { return faults{layer{w}, &world.Faults{}} }

// WithFaults gives a World its faults; nil leaves them to the environment.
func WithFaults(f *world.Faults) world.Layer {
	return func(w world.World) world.World { return faults{layer{w}, f} }
}

type faults struct {
	layer
	f *world.Faults
}

func (w faults) Faults() *world.Faults { return w.f }

// Time is the part of a Clock that only tells the time.
type Time interface {
	Now() time.Duration
	Wall() time.Time
}

// WithTime makes a World tell the time of t. Its alarms and sleeps stay as they are.
func WithTime(t Time) world.Layer {
	return func(w world.World) world.World { return clock{layer{w}, t} }
}

type clock struct {
	layer
	t Time
}

func (w clock) Now() time.Duration { return w.t.Now() }
func (w clock) Wall() time.Time    { return w.t.Wall() }

// WithAlarm replaces the alarms.
func WithAlarm(set func(d time.Duration, ring func()) (stop func() bool)) world.Layer {
	return func(w world.World) world.World { return alarm{layer{w}, set} }
}

type alarm struct {
	layer
	set func(d time.Duration, ring func()) (stop func() bool)
}

func (w alarm) Alarm(d time.Duration, ring func()) (stop func() bool) { return w.set(d, ring) }

// WithChooser has c choose what runs next.
func WithChooser(c world.Chooser) world.Layer {
	return func(w world.World) world.World { return chooser{layer{w}, c} }
}

type chooser struct {
	layer
	c world.Chooser
}

func (w chooser) Chooser() world.Chooser { return w.c }

// WithPoller replaces each poller by what around makes of it.
func WithPoller(around func(poll.Poller) poll.Poller) world.Layer {
	return func(w world.World) world.World { return poller{layer{w}, around} }
}

type poller struct {
	layer
	around func(poll.Poller) poll.Poller
}

func (w poller) OpenPoller(kind poll.Kind) (poll.Poller, error) {
	p, err := w.World.OpenPoller(kind)
	if err != nil {
		return nil, err
	}
	return w.around(p), nil
}
