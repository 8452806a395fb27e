package modeltest

import (
	"errors"
)

func (m *model) resultOf(r ref) *outcome {
	if r.promise {
		return &m.promises[r.n]
	}
	return &m.processes[r.n].outcome
}

func (m *model) fulfil(r *outcome, v int, err error) bool {
	if r.done {
		return false
	}
	r.done, r.v, r.err = true, v, err
	if m.settleAll(&r.waits) > 0 {
		r.asked = true
	}
	for _, fn := range r.then {
		fn()
	}
	return true
}

func (m *model) complete(promise, v int, err error) bool {
	return m.fulfil(&m.promises[promise], v, err)
}

func (m *model) awaitResult(with *ctx, r *outcome) (int, error) {
	if !r.done {
		if with != nil && with.done != nil {
			return 0, with.done.err()
		}
		if err := m.wait(with, &r.waits); err != nil {
			return 0, err
		}
	}
	r.asked = true
	return r.v, r.err
}

func (m *model) await(c *ctx, r ref) (int, error) {
	if o := m.resultOf(r); !o.done && o == &m.me.outcome && c == &m.me.scope {
		panic(itself)
	}
	return m.awaitResult(c, m.resultOf(r))
}

func (m *model) withdraw(r *outcome, why error) bool {
	if why == nil {
		why = errCancelled
	}
	switch {
	case r.done:
		return false
	case r.stop != nil:
		r.stop(why)
		return true
	}
	return m.fulfil(r, 0, why)
}

func (m *model) cancel(r ref, why error) bool { return m.withdraw(m.resultOf(r), why) }

// observe waits for the decision that the verdict on one of rs makes.
func (m *model) observe(c *ctx, rs []ref, verdict func(r *outcome) (decided bool, err error)) (int, error) {
	var decision outcome
	over := false
	for _, ref := range rs {
		r := m.resultOf(ref)
		hear := func() {
			if over {
				return
			}
			if decided, err := verdict(r); decided {
				m.fulfil(&decision, 0, err)
			}
		}
		if r.done {
			hear()
		} else {
			r.then = append(r.then, hear)
		}
	}
	defer func() { over = true }()
	return m.awaitResult(c, &decision)
}

// decide is observe that then cancels the rest, and awaits them all. Nobody need ask for the errors
// of those that it has cancelled, except for panics.
func (m *model) decide(c *ctx, rs []ref, verdict func(r *outcome) (decided bool, err error)) error {
	if len(rs) == 0 {
		return nil
	}
	_, err := m.observe(c, rs, verdict)
	var told []*outcome
	for _, ref := range rs {
		if r := m.resultOf(ref); m.withdraw(r, err) {
			told = append(told, r)
		}
	}
	left := len(rs)
	m.observe(nil, rs, func(*outcome) (bool, error) {
		left--
		return left == 0, nil
	})
	for _, r := range told {
		if _, crashed := errors.AsType[*panicked](r.err); !crashed {
			r.asked = true
		}
	}
	return err
}

func (m *model) combine(c *ctx, s *step, rs []ref) (v int, err error) {
	left := len(rs)
	var winner *outcome
	switch s.kind {
	case all:
		err = m.decide(c, rs, func(r *outcome) (bool, error) {
			left--
			if r.err != nil && winner == nil {
				winner = r
			}
			return r.err != nil || left == 0, r.err
		})
		if winner != nil && err == winner.err {
			winner.asked = true
		}
		for _, r := range rs {
			if err == nil {
				v = m.words().digest(v, m.resultOf(r).v, nil)
			}
		}
		return v, err
	case settled:
		err = m.decide(c, rs, func(*outcome) (bool, error) {
			left--
			return left == 0, nil
		})
		for _, r := range rs {
			m.resultOf(r).asked = true
			v = m.words().digest(v, m.resultOf(r).v, m.resultOf(r).err)
		}
		return v, err
	case watch:
		if len(rs) > 0 {
			_, err = m.observe(c, rs, func(r *outcome) (bool, error) {
				left--
				return left == 0 || mode(s) == 1 || mode(s) == 2 && r.err != nil, nil
			})
		}
		for _, r := range rs {
			v += truth(m.resultOf(r).done)
		}
		return v, err
	}
	if len(rs) == 0 {
		return 0, errNone
	}
	var errs []error
	err = m.decide(c, rs, func(r *outcome) (bool, error) {
		left--
		if winner == nil && (s.kind == race || r.err == nil) {
			winner = r
		}
		return winner != nil || left == 0, nil
	})
	for _, r := range rs {
		errs = append(errs, m.resultOf(r).err)
		if winner == nil && err == nil {
			m.resultOf(r).asked = true
		}
	}
	switch {
	case winner != nil:
		winner.asked = true
		return winner.v, winner.err
	case err != nil:
		return 0, err
	}
	return 0, errors.Join(errs...)
}
