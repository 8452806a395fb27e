//go:build !unix

package stream

const (
	soError     = 0x1007 // Winsock's
	soReusePort = -1     // no such system has it: setting it fails
)
