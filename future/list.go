package future

import "slices"

// long is how many there are in a list before it is worth knowing their places.
const long = 64

// list is what waits for a future, in the order in which it came. Thousands may wait for the same
// one, a shutdown for instance, and each of them gives up by itself: so a long list, once one has,
// knows where the others are.
type list[E comparable] struct {
	all   []E
	index *index[E] // nil: all has no gaps
}

type index[E comparable] struct {
	at   map[E]int // in all
	gaps int       // zero values in all, where something was removed
}

func (l *list[E]) add(e E) {
	if l.index != nil {
		l.index.at[e] = len(l.all)
	}
	l.all = append(l.all, e)
}

// remove reports whether e was there.
func (l *list[E]) remove(e E) bool {
	if l.index == nil && len(l.all) < long {
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

func (l *list[E]) find() *index[E] {
	if l.index == nil {
		l.index = &index[E]{at: make(map[E]int, len(l.all))}
		for i, e := range l.all {
			l.index.at[e] = i
		}
	}
	return l.index
}

// compact returns what is there. The index is gone after that.
func (l *list[E]) compact() []E {
	if l.index != nil {
		var none E
		l.all = slices.DeleteFunc(l.all, func(e E) bool { return e == none })
		l.index = nil
	}
	return l.all
}

func (l *list[E]) len() int {
	if l.index != nil {
		return len(l.index.at)
	}
	return len(l.all)
}
