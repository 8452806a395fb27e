package world_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/world"
)

func TestFaultsAreParsed(t *testing.T) {
	for spec, want := range map[string]world.Faults{
		"eagain=0.3,short=0.5,eintr=0.1,seed=7":                  {EAGAIN: 0.3, Short: 0.5, EINTR: 0.1, Seed: 7},
		" emfile=0.01 , econnaborted=0.2":                        {EMFILE: 0.01, Aborted: 0.2},
		"enobufs=0.9,econnrefused=0.5,seed=18446744073709551615": {ENOBUFS: 0.9, Refused: 0.5, Seed: 1<<64 - 1},
		"eagain=0": {},
	} {
		if f, err := world.ParseFaults(spec); f != want || err != nil {
			t.Errorf("%q: %+v, %v; want %+v and nil", spec, f, err, want)
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
		if _, err := world.ParseFaults(spec); err == nil || !strings.Contains(err.Error(), complaint) || !strings.Contains(err.Error(), spec) {
			t.Errorf("ParseFaults(%q): %v, want an error that names it and says %q", spec, err, complaint)
		}
	}
}

// asking is a World that asks for faults.
type asking struct {
	world.World
	faults *world.Faults
}

func (w asking) Faults() *world.Faults { return w.faults }

func TestFaultsComeFromTheWorldOrTheEnvironment(t *testing.T) {
	tests := []struct {
		name, environment string
		asked             *world.Faults
		want              float64 // the rate of failing reads
	}{
		{"nobody asks", "", nil, 0},
		{"the environment", "eagain=0.5", nil, 0.5},
		{"the world", "", &world.Faults{EAGAIN: 0.8}, 0.8},
		{"both", "eagain=0.5", &world.Faults{EAGAIN: 0.8}, 0.8},
		{"the world wants none", "eagain=0.5", &world.Faults{}, 0},
		{"only a seed", "seed=7", nil, 0},
	}
	for _, tt := range tests {
		t.Setenv(world.FaultsVariable, tt.environment)
		w, err := world.Open(func(w world.World) world.World { return asking{endless{w}, tt.asked} })
		if err != nil {
			t.Fatalf("%s: %v, want nil", tt.name, err)
		}
		failed := 0.
		for range 1000 {
			if _, errno := w.Read(3, make([]byte, 1)); errno != 0 {
				failed++
			}
		}
		if got := failed / 1000; got < tt.want-0.1 || got > tt.want+0.1 || (got == 0) != (tt.want == 0) {
			t.Errorf("%s: %v of the reads failed, want %v", tt.name, got, tt.want)
		}
	}
	t.Setenv(world.FaultsVariable, "eagain=2")
	if w, err := world.Open(); w != nil || err == nil || !strings.Contains(err.Error(), world.FaultsVariable) {
		t.Errorf("nonsense: %v, %v; want an error that names the variable", w, err)
	}
}

func TestTheFirstLayerIsTheInnermost(t *testing.T) {
	inner := asking{faults: &world.Faults{}}
	w, err := world.Open(
		func(w world.World) world.World { inner.World = w; return inner },
		func(w world.World) world.World {
			if w != inner {
				t.Errorf("the second layer is put around %T, want the first", w)
			}
			return endless{w}
		})
	if _, outer := w.(endless); !outer || err != nil {
		t.Errorf("Open returns %T, %v, want the second layer", w, err)
	}
}

// endless is a World whose kernel does all that it is asked for.
type endless struct{ world.World }

func (endless) Read(_ int, p []byte) (int, syscall.Errno)   { return len(p), 0 }
func (endless) Write(_ int, p []byte) (int, syscall.Errno)  { return len(p), 0 }
func (endless) Accept(int) (int, world.Addr, syscall.Errno) { return 1, world.Addr{}, 0 }
func (endless) Connect(int, world.Addr) syscall.Errno       { return 0 }
func (endless) Close(int) syscall.Errno                     { return 0 }
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

// calls makes many calls of each kind, and returns their results.
func calls(f world.Faults) map[string][]result {
	k := f.Around(endless{})
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
		note("connect", 0, k.Connect(3, world.Addr{}))
	}
	return all
}

func TestEachFaultComesAsOftenAsItIsAskedFor(t *testing.T) {
	tests := []struct {
		faults world.Faults
		call   string
		is     func(o result) bool
	}{
		{world.Faults{EAGAIN: 0.5}, "read", fails(syscall.EAGAIN)}, {world.Faults{EAGAIN: 0.5}, "write", fails(syscall.EAGAIN)},
		{world.Faults{EAGAIN: 0.5}, "writev", fails(syscall.EAGAIN)}, {world.Faults{EAGAIN: 0.5}, "accept", fails(syscall.EAGAIN)},
		{world.Faults{Short: 0.5}, "read", isShort}, {world.Faults{Short: 0.5}, "write", isShort}, {world.Faults{Short: 0.5}, "writev", isShort},
		{world.Faults{Aborted: 0.5}, "accept", fails(syscall.ECONNABORTED)}, {world.Faults{EMFILE: 0.5}, "accept", fails(syscall.EMFILE)},
		{world.Faults{ENOBUFS: 0.5}, "write", fails(syscall.ENOBUFS)}, {world.Faults{ENOBUFS: 0.5}, "writev", fails(syscall.ENOBUFS)},
		{world.Faults{Refused: 0.5}, "connect", fails(syscall.ECONNREFUSED)}, {world.Faults{EINTR: 0.5}, "connect", fails(syscall.EINPROGRESS)},
	}
	for _, tt := range tests {
		for call, all := range calls(tt.faults) {
			bad := 0
			for _, o := range all {
				if tt.is(o) {
					bad++
				}
			}
			if call == tt.call && (bad < 400 || bad > 600) {
				t.Errorf("%+v: %d of %d calls of %s are affected, want from 400 to 600", tt.faults, bad, len(all), call)
			}
		}
	}
}

func fails(errno syscall.Errno) func(result) bool {
	return func(o result) bool { return o == result{0, errno} }
}

func isShort(o result) bool { return o.n > 0 && o.n < 100 && o.errno == 0 }

// The seed alone decides the results of a kind of call, whatever other calls there are.
func TestASeedIsASequence(t *testing.T) {
	f := world.Faults{EAGAIN: 0.2, Short: 0.4, EINTR: 0.3, Aborted: 0.1, EMFILE: 0.1, ENOBUFS: 0.1, Refused: 0.1, Seed: 1}
	first, again := calls(f), calls(f)
	f.Seed = 2
	other := calls(f)
	k := world.Faults{EAGAIN: 0.2, Short: 0.4, Seed: 1}.Around(endless{})
	for i, o := range first["read"] {
		n, errno := k.Read(3, make([]byte, 100))
		if o != again["read"][i] || o != (result{n, errno}) {
			t.Fatalf("read %d: %v, again %v, alone %v; want the same thrice", i, o, again["read"][i], result{n, errno})
		}
	}
	for call := range first {
		same := 0
		for i, o := range first[call] {
			if o != again[call][i] {
				t.Fatalf("%s %d: %v, then %v; want the same of the same seed", call, i, o, again[call][i])
			}
			if o == other[call][i] {
				same++
			}
		}
		if same == len(first[call]) {
			t.Errorf("%s: another seed makes no difference, want other faults", call)
		}
	}
}

func TestNoFaultsAreNoLayer(t *testing.T) {
	if w := (world.Faults{Seed: 7}).Around(endless{}); w != (endless{}) {
		t.Errorf("the world is %T, want it unchanged", w)
	}
}
