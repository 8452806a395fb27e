package modeltest

import (
	"context"
	"errors"
	"slices"
)

func (m *model) spawn(up *ctx, id, style int, body func(*ctx) (int, error)) {
	p := &process{turn: make(chan struct{}), isolated: style == isolated}
	p.scope.daemon = style == daemon
	m.init(&p.scope, up)
	if g := p.scope.club; g != nil && p.scope.daemon {
		g.daemons = append(g.daemons, p)
	} else if g != nil {
		g.members++
	}
	m.begin(p, style == eager, body)
	m.processes[id] = p // which is not known before, to itself neither
}

// begin starts a process: now, while the one that has the turn stands by, or when its turn comes.
func (m *model) begin(p *process, now bool, body func(*ctx) (int, error)) {
	p.scope.of = p
	p.stop = func(cause error) {
		m.cutFor(&p.scope, &verdict{as: context.Canceled, cause: cause, from: p.scope.club})
	}
	first := func() {
		go func() {
			<-p.turn
			defer func() { p.turn <- struct{}{} }()
			v, err := m.perform(p, body)
			m.end(p, v, err)
		}()
		m.pass(p)
	}
	if !now {
		m.ready = append(m.ready, first)
		return
	}
	me := m.me
	first()
	m.me = me
}

// perform returns what body does, also if it panics. If it calls runtime.Goexit, that is the end of
// the process, and then of the goroutine.
func (m *model) perform(p *process, body func(*ctx) (int, error)) (v int, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if x := recover(); x != nil {
			v, err = 0, &panicked{x}
			return
		}
		m.end(p, 0, errLeft)
	}()
	v, err = body(&p.scope)
	returned = true
	return v, err
}

func (m *model) end(p *process, v int, err error) {
	m.leaveClubs(p)
	why := p.scope.done
	told := why != nil && why.explains(err) // the error only tells of the cancellation
	m.finish(&p.scope)
	m.fulfil(&p.outcome, v, err)
	if (p.scope.club == nil || p.isolated) && err != nil && !told && !p.asked {
		m.unasked = append(m.unasked, p)
	}
	if p.scope.club != nil {
		if p.isolated || told && why.from == p.scope.club {
			err = nil
		}
		m.leave(p, p.scope.club, err)
	}
}

func (m *model) sleep(c *ctx, d int) error {
	if c.done != nil {
		return c.done.err()
	}
	me := m.me
	if d == 0 {
		m.ready = append(m.ready, func() { m.pass(me) })
		m.park()
		return nil
	}
	var list []*wait
	a := m.after(d, func() { m.settleAll(&list) })
	defer func() { a.off = true }()
	return m.wait(c, &list)
}

func (m *model) known(id int) bool { return m.processes[id] != nil }
func (m *model) ended(id int) bool { return m.processes[id].done }

// Groups.

func (m *model) group(up *ctx, form kind, limit int, body func(*ctx, int) error) error {
	g := &club{}
	g.ctx.maker = m.me
	m.init(&g.ctx, up)
	g.ctx.club, g.ctx.daemon = g, false
	if form == limited {
		g.limit = limit
	}
	m.me.made = append(m.me.made, g)
	m.groups = append(m.groups, g)
	number := len(m.groups) - 1
	if form == loose {
		return body(&g.ctx, number)
	}
	returned := false
	defer func() {
		if !returned {
			m.cut(&g.ctx, context.Canceled, errOver)
			m.awaitMembers(g)
		}
	}()
	if err := body(&g.ctx, number); err != nil {
		m.failGroup(g, err)
	}
	returned = true
	return m.awaitMembers(g)
}

func (m *model) awaitMembers(g *club) error {
	if g.members+len(g.daemons) > 0 {
		m.dismissDaemons(g, true)
		m.wait(nil, &g.waits)
	}
	m.finish(&g.ctx)
	g.waited = true
	return g.err
}

// dismissDaemons cancels the daemons of a group, when somebody waits for their being the last.
func (m *model) dismissDaemons(g *club, waited bool) {
	if g.members == 0 && waited {
		for _, d := range slices.Clone(g.daemons) {
			d.stop(errOver)
		}
	}
}

// member starts a task when there is room for it. Its body gets the context of the group, and it
// has no handle.
func (m *model) member(number, _ int, body func(*ctx) error) {
	g := m.groups[number]
	if g.limit > 0 && g.used == g.limit {
		m.wait(nil, &g.queue) // and whoever lets it go on counts it
	} else {
		g.used++
		g.members++
	}
	p := &process{turn: make(chan struct{}), secret: true}
	m.init(&p.scope, &g.ctx)
	m.begin(p, false, func(*ctx) (int, error) { return 0, body(&g.ctx) })
}

func (m *model) leave(p *process, g *club, err error) {
	if err != nil {
		m.failGroup(g, err)
	}
	if i := slices.Index(g.daemons, p); i >= 0 {
		g.daemons = slices.Delete(g.daemons, i, i+1)
	} else {
		g.members--
	}
	if p.secret {
		if m.settleFirst(&g.queue) {
			g.members++
		} else {
			g.used--
		}
	}
	m.dismissDaemons(g, len(g.waits) > 0)
	if g.members+len(g.daemons) == 0 {
		m.settleAll(&g.waits)
	}
}

func (m *model) failGroup(g *club, err error) {
	if g.err == nil {
		g.err = err
		m.cut(&g.ctx, context.Canceled, err)
	}
}

// leaveClubs ends the groups that a process has made and not waited for.
func (m *model) leaveClubs(p *process) {
	for _, g := range p.made {
		if g.waited {
			continue
		}
		members := g.members + len(g.daemons)
		if members > 0 {
			m.cut(&g.ctx, context.Canceled, errNotAwaited)
		}
		err := m.awaitMembers(g)
		if members == 0 && err == nil {
			continue
		}
		if err == nil {
			err = errNotAwaited
		}
		m.reports = append(m.reports, "group: "+m.words().describe(errors.Join(err, errNotAwaited)))
	}
}
