//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package world

import (
	"context"
	"errors"
	"testing"
)

func TestOnlySoManyLookupsAtOnce(t *testing.T) {
	s := newSystem()
	for range lookupsAtOnce {
		s.lookups <- struct{}{}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	mine := errors.New("mine")
	cancel(mine)
	if ips, err := s.LookupHost(ctx, "localhost"); ips != nil || err != mine {
		t.Errorf("a lookup too many, cancelled: %v, %v, want the cause", ips, err)
	}
	if ips, err := s.LookupHost(t.Context(), "::1"); len(ips) != 1 || err != nil {
		t.Errorf("an address is %v, %v, want itself", ips, err)
	}
	<-s.lookups
	if ips, err := s.LookupHost(t.Context(), "localhost"); len(ips) == 0 || err != nil {
		t.Errorf("when one has ended: %v, %v, want an address", ips, err)
	}
	if n := len(s.lookups); n != lookupsAtOnce-1 {
		t.Errorf("%d lookups are under way, want %d", n, lookupsAtOnce-1)
	}
}
