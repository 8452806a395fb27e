//go:build linux

package reactor_test

import (
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
)

// A scene runs in a process of its own: this test binary again, with the scene named in the
// environment.
const (
	sceneVariable = "COROBRIDGE_REACTOR_SCENE"
	sceneArgument = "COROBRIDGE_REACTOR_SCENE_ARGUMENT"
)

func TestScene(t *testing.T) {
	name := os.Getenv(sceneVariable)
	if name == "" {
		t.Skip("is run by other tests")
	}
	for _, scenes := range []map[string]func(){signalScenes, childScenes} {
		if play := scenes[name]; play != nil {
			play()
			os.Exit(0)
		}
	}
	t.Fatalf("no scene is called %q, want one of signalScenes or childScenes", name)
}

// scene is a process that plays one.
type scene struct {
	*os.Process
	in, out *os.File
}

// play starts a scene. Its input ends when the test does, or calls end.
func play(t testing.TB, name, argument string) *scene {
	t.Helper()
	theirIn, in, err := os.Pipe()
	testkit.Check(err)
	out, theirOut, err := os.Pipe()
	testkit.Check(err)
	p, err := os.StartProcess(os.Args[0], []string{os.Args[0], "-test.run=^TestScene$", "-test.timeout=1m"}, &os.ProcAttr{
		Env:   append(os.Environ(), sceneVariable+"="+name, sceneArgument+"="+argument, "GORACE=atexit_sleep_ms=0"),
		Files: []*os.File{theirIn, theirOut, os.Stderr},
	})
	testkit.Check(err)
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		in.Close()
		out.Close()
		if p.Signal(syscall.Signal(0)) == nil { // nobody has waited for it
			p.Kill()
			p.Wait()
		}
	})
	return &scene{p, in, out}
}

// end ends the scene's input, and returns the rest of its output when that has ended.
func (s *scene) end() (out string) {
	s.in.Close()
	return string(testkit.Must(io.ReadAll(s.out)))
}

// begun waits for the first byte of the scene's output.
func (s *scene) begun() { testkit.Must(io.ReadFull(s.out, make([]byte, 1))) }
