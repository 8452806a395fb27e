package seam_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/seam"
)

func TestFaultsAreParsed(t *testing.T) {
	for spec, want := range map[string]seam.Faults{
		"eagain=0.3,short=0.5,eintr=0.1,seed=7":                  {EAGAIN: 0.3, Short: 0.5, EINTR: 0.1, Seed: 7},
		" emfile=0.01 , econnaborted=0.2":                        {EMFILE: 0.01, Aborted: 0.2},
		"enobufs=0.9,econnrefused=0.5,seed=18446744073709551615": {ENOBUFS: 0.9, Refused: 0.5, Seed: 1<<64 - 1},
		"eagain=0": {},
	} {
		if f, err := seam.ParseFaults(spec); f != want || err != nil {
			t.Errorf("%q: %+v, %v", spec, f, err)
		}
	}
	for spec, complaint := range map[string]string{
		"":                     `there is no fault ""`,
		"eagain=0.3,":          `there is no fault ""`,
		"again=0.3":            `there is no fault "again"`,
		"eagain":               "the rate of eagain must be a number from 0 to below 1",
		"eagain=1":             "the rate of eagain must be a number from 0 to below 1",
		"eagain=-0.1":          "the rate of eagain must be a number from 0 to below 1",
		"eagain=NaN":           "the rate of eagain must be a number from 0 to below 1",
		"short=0.5;eintr=0.1":  "the rate of short must be a number from 0 to below 1",
		"eagain=0.3,seed=-1":   "the seed must be a whole number",
		"eagain=0.3,seed=1e10": "the seed must be a whole number",
	} {
		if _, err := seam.ParseFaults(spec); err == nil || !strings.Contains(err.Error(), complaint) || !strings.Contains(err.Error(), spec) {
			t.Errorf("%q: %v", spec, err)
		}
	}
}

func TestFaultsComeFromTheConfigOrTheEnvironment(t *testing.T) {
	tests := []struct {
		name, environment string
		config            *seam.Faults
		want              float64 // the rate of EAGAIN; 0: no layer at all
	}{
		{"nobody asks", "", nil, 0},
		{"the environment", "eagain=0.3", nil, 0.3},
		{"the config", "", &seam.Faults{EAGAIN: 0.4}, 0.4},
		{"both", "eagain=0.3", &seam.Faults{EAGAIN: 0.4}, 0.4},
		{"the config wants none", "eagain=0.3", &seam.Faults{}, 0},
		{"only a seed", "seed=7", nil, 0},
	}
	for _, tt := range tests {
		t.Setenv(seam.FaultsVariable, tt.environment)
		l, err := (&seam.Config{Faults: tt.config}).FaultLayer()
		if err != nil || (l != nil) != (tt.want > 0) || l != nil && l.EAGAIN != tt.want {
			t.Errorf("%s: %v, %v", tt.name, l, err)
		}
	}
	t.Setenv(seam.FaultsVariable, "eagain=2")
	if l, err := (&seam.Config{}).FaultLayer(); l != nil || err == nil || !strings.Contains(err.Error(), seam.FaultsVariable) {
		t.Errorf("nonsense: %v, %v", l, err)
	}
}

// endless is a kernel where everything goes well.
type endless struct{ seam.Kernel }

func (endless) Read(_ int, p []byte) (int, syscall.Errno)  { return len(p), 0 }
func (endless) Write(_ int, p []byte) (int, syscall.Errno) { return len(p), 0 }
func (endless) Accept(int) (int, seam.Addr, syscall.Errno) { return 1, seam.Addr{}, 0 }
func (endless) Connect(int, seam.Addr) syscall.Errno       { return 0 }
func (endless) Close(int) syscall.Errno                    { return 0 }
func (endless) Writev(_ int, bufs [][]byte) (n int, _ syscall.Errno) {
	for _, b := range bufs {
		n += len(b)
	}
	return n, 0
}

// result is what a call returns.
type result struct {
	n     int
	errno syscall.Errno
}

// calls makes many calls of each kind, and returns what became of them.
func calls(t *testing.T, f seam.Faults) map[string][]result {
	t.Helper()
	l, err := (&seam.Config{Faults: &f}).FaultLayer()
	if err != nil {
		t.Fatal(err)
	}
	k := l.Kernel(endless{})
	all := map[string][]result{}
	for range 1000 {
		note := func(call string, n int, errno syscall.Errno) { all[call] = append(all[call], result{n, errno}) }
		n, errno := k.Read(3, make([]byte, 100))
		note("read", n, errno)
		n, errno = k.Write(3, make([]byte, 100))
		note("write", n, errno)
		n, errno = k.Writev(3, [][]byte{make([]byte, 50), nil, make([]byte, 50)})
		note("writev", n, errno)
		_, _, errno = k.Accept(3)
		note("accept", 0, errno)
		note("connect", 0, k.Connect(3, seam.Addr{}))
	}
	return all
}

func TestEachFaultComesAsOftenAsItIsAskedFor(t *testing.T) {
	tests := []struct {
		faults seam.Faults
		call   string
		is     func(o result) bool
	}{
		{seam.Faults{EAGAIN: 0.5}, "read", fails(syscall.EAGAIN)}, {seam.Faults{EAGAIN: 0.5}, "write", fails(syscall.EAGAIN)},
		{seam.Faults{EAGAIN: 0.5}, "writev", fails(syscall.EAGAIN)}, {seam.Faults{EAGAIN: 0.5}, "accept", fails(syscall.EAGAIN)},
		{seam.Faults{Short: 0.5}, "read", isShort}, {seam.Faults{Short: 0.5}, "write", isShort}, {seam.Faults{Short: 0.5}, "writev", isShort},
		{seam.Faults{Aborted: 0.5}, "accept", fails(syscall.ECONNABORTED)}, {seam.Faults{EMFILE: 0.5}, "accept", fails(syscall.EMFILE)},
		{seam.Faults{ENOBUFS: 0.5}, "write", fails(syscall.ENOBUFS)}, {seam.Faults{ENOBUFS: 0.5}, "writev", fails(syscall.ENOBUFS)},
		{seam.Faults{Refused: 0.5}, "connect", fails(syscall.ECONNREFUSED)}, {seam.Faults{EINTR: 0.5}, "connect", fails(syscall.EINPROGRESS)},
	}
	for _, tt := range tests {
		for call, all := range calls(t, tt.faults) {
			bad := 0
			for _, o := range all {
				if tt.is(o) {
					bad++
				}
			}
			if call == tt.call && (bad < 400 || bad > 600) {
				t.Errorf("%+v: %d of %d calls of %s", tt.faults, bad, len(all), call)
			}
		}
	}
}

func fails(errno syscall.Errno) func(result) bool {
	return func(o result) bool { return o == result{0, errno} }
}

func isShort(o result) bool { return o.n > 0 && o.n < 100 && o.errno == 0 }

// The seed alone decides what a kind of call meets, whatever other calls there are.
func TestASeedIsASequence(t *testing.T) {
	f := seam.Faults{EAGAIN: 0.2, Short: 0.4, EINTR: 0.3, Aborted: 0.1, EMFILE: 0.1, ENOBUFS: 0.1, Refused: 0.1, Seed: 1}
	first, again := calls(t, f), calls(t, f)
	f.Seed = 2
	other := calls(t, f)
	alone, err := (&seam.Config{Faults: &seam.Faults{EAGAIN: 0.2, Short: 0.4, Seed: 1}}).FaultLayer()
	if err != nil {
		t.Fatal(err)
	}
	k := alone.Kernel(endless{})
	for i, o := range first["read"] {
		n, errno := k.Read(3, make([]byte, 100))
		if o != again["read"][i] || o != (result{n, errno}) {
			t.Fatalf("read %d: %v, again %v, alone %v", i, o, again["read"][i], result{n, errno})
		}
	}
	for call := range first {
		same := 0
		for i, o := range first[call] {
			if o != again[call][i] {
				t.Fatalf("%s %d: %v, then %v", call, i, o, again[call][i])
			}
			if o == other[call][i] {
				same++
			}
		}
		if same == len(first[call]) {
			t.Errorf("%s: another seed makes no difference", call)
		}
	}
}

func TestNoLayerIsNoCost(t *testing.T) {
	var none *seam.FaultLayer
	if k := none.Kernel(endless{}); k != (endless{}) {
		t.Errorf("the kernel is %T", k)
	}
	p, err := none.Poller(func() (poll.Poller, error) { return nil, syscall.ENFILE })
	if p != nil || err != syscall.ENFILE {
		t.Errorf("the poller is %v, %v", p, err)
	}
}
