package testkit

import "os"

// Descriptors returns the open descriptors of the process, each with what it refers to. Tests
// compare two of them. Before the first one something has to have used package os, which opens the
// runtime's own poller.
func Descriptors() map[string]string {
	open := map[string]string{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = target
		}
	}
	return open
}
