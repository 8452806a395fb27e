package poll_test

import (
	"os"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestAFileIsNoSocket(t *testing.T) {
	eachMode(t, func(t *testing.T, p facility, mode poll.Mode) {
		f := testkit.Must(os.Open(testkit.Must(os.Executable())))
		defer f.Close()
		if err := p.Add(int(f.Fd()), tag, poll.Readable, mode); err != syscall.EPERM {
			t.Errorf("Add: %v, want EPERM", err)
		}
	})
}

// On Unix a scan that has begun does not notice that a descriptor is closed.
func TestClosedDuringAWaitIsReported(t *testing.T) {
	eachPoller(t, func(t *testing.T, p facility) {
		for range 20 {
			a, _ := pair(t)
			testkit.Check(p.Add(a.fd, tag, poll.Readable, poll.Level))
			var over sync.WaitGroup
			over.Go(a.close)
			await(t, p, tag, poll.Error)
			over.Wait()
			if got := now(t, p); len(got) != 0 {
				t.Errorf("reported again: %v, want nothing", got)
			}
			testkit.Check(p.Remove(a.fd))
		}
	})
}

// handles counts what is open in the process, files, threads and the runtime's events included.
func handles(t *testing.T) (n uint32) {
	t.Helper()
	count := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount")
	if r, _, err := count.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&n))); r == 0 {
		t.Fatal(err)
	}
	return n
}

func TestPollersLeaveNoHandles(t *testing.T) {
	testkit.Guard(t)
	testkit.Check(testkit.Must(poll.New(poll.Poll)).Close())
	before := handles(t)
	for range 100 {
		testkit.Check(testkit.Must(poll.New(poll.Poll)).Close())
	}
	if after := handles(t); after > before+10 {
		t.Errorf("%d handles before, %d after; want about as many", before, after)
	}
}
