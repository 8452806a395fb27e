package future

import "slices"

// long is how many there are in a list before it is worth knowing their places.
const long = 64

// list is what waits for a future, in the order in which it came. Thousands may wait for the same
// one, a shutdown for instance, and each of them gives up by itself: so a long list, once one has,
// knows where the others are.
type list[E comparable] struct {
	all    []E
	places *places[E] // nil: all has no gaps
}

type places[E comparable] struct {
	at   map[E]int // in all
	gaps int       // zero values in all, in the place of what was removed
}

func (l *list[E]) add(e E) {
	if l.places != nil {
		l.places.at[e] = len(l.all)
	}
	l.all = append(l.all, e)
}

// remove reports whether e was there.
func (l *list[E]) remove(e E) bool {
	if l.places == nil && len(l.all) < long {
		i := slices.Index(l.all, e)
		if i >= 0 {
			l.all = slices.Delete(l.all, i, i+1)
		}
		return i >= 0
	}
	p := l.find()
	i, there := p.at[e]
	if there {
		var none E
		l.all[i] = none
		delete(p.at, e)
		if p.gaps++; p.gaps*2 > len(l.all) {
			l.compact()
		}
	}
	return there
}

func (l *list[E]) find() *places[E] {
	if l.places == nil {
		l.places = &places[E]{at: make(map[E]int, len(l.all))}
		for i, e := range l.all {
			l.places.at[e] = i
		}
	}
	return l.places
}

// compact returns what is there. Nothing is at its place after that.
func (l *list[E]) compact() []E {
	if l.places != nil {
		var none E
		l.all = slices.DeleteFunc(l.all, func(e E) bool { return e == none })
		l.places = nil
	}
	return l.all
}

func (l *list[E]) len() int {
	if l.places != nil {
		return len(l.places.at)
	}
	return len(l.all)
}
