package exampletest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Process is the example, running in a process of its own.
type Process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Scanner
	stderr strings.Builder
}

// Start starts the example with these arguments. It runs the test binary again, whose TestMain must
// be Main.
func Start(t *testing.T, args ...string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: exec.Command(self, args...)}
	// The race detector otherwise sleeps for a second at the end of the process.
	p.cmd.Env = append(os.Environ(), child+"=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dog := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	t.Cleanup(func() {
		dog.Stop()
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	return p
}

// Line returns the next line that the process prints.
func (p *Process) Line() string {
	p.t.Helper()
	if !p.stdout.Scan() {
		p.t.Fatalf("the process prints nothing more (%v), want a line\n%s", p.stdout.Err(), p.Wait())
	}
	return p.stdout.Text()
}

// Address returns the last word of the next line.
func (p *Process) Address() string {
	p.t.Helper()
	line := p.Line()
	return line[strings.LastIndexByte(line, ' ')+1:]
}

// Signal sends the process a signal.
func (p *Process) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// Wait waits until the process has ended, and returns everything else that it has printed.
func (p *Process) Wait() (rest string) {
	for p.stdout.Scan() {
		rest += p.stdout.Text() + "\n"
	}
	p.cmd.Wait()
	return rest + p.stderr.String()
}

// ExpectSuccess is Wait, and fails the test unless the exit status is 0.
func (p *Process) ExpectSuccess() (rest string) {
	p.t.Helper()
	rest = p.Wait()
	if !p.cmd.ProcessState.Success() {
		p.t.Fatalf("%v, want exit status 0; printed:\n%s", p.cmd.ProcessState, rest)
	}
	return rest
}
