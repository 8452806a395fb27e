//go:build race && (unix || windows)

package world_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
)

const racy = "COROBRIDGE_RACY"

// A race fails the process that it is in, so this one gets a process of its own.
func TestRaceDetectorSeesTransfers(t *testing.T) {
	for _, call := range []string{"Read", "Write", "Writev"} {
		t.Run(call, func(t *testing.T) {
			testkit.Guard(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRacyTransfer$")
			cmd.Env = append(os.Environ(), racy+"="+call)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "DATA RACE") {
				t.Errorf("%s: %v, want the race detector to report a race; it printed:\n%s", call, err, out)
			}
		})
	}
}

func TestRacyTransfer(t *testing.T) {
	call := os.Getenv(racy)
	if call == "" {
		t.Skip("run by TestRaceDetectorSeesTransfers")
	}
	a, b := pair(t)
	k.Write(a, []byte("x"))
	buf := make([]byte, 1)
	var over sync.WaitGroup
	over.Go(func() { buf[0]++ })
	switch call {
	case "Read":
		k.Read(b, buf)
	case "Write":
		k.Write(a, buf)
	case "Writev":
		k.Writev(a, [][]byte{buf})
	}
	over.Wait()
}
