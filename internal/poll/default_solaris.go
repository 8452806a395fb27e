package poll

// Kinds lists the facilities of this system, the one that Auto stands for first.
func Kinds() []Kind { return []Kind{Poll, Select} }

// New makes a poller. The error for a facility that this system lacks wraps errors.ErrUnsupported.
func New(kind Kind) (Poller, error) {
	switch kind {
	case Auto, Poll:
		return NewPoll()
	case Select:
		return NewSelect()
	}
	return nil, unsupported(kind)
}
