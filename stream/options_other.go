//go:build !unix

package stream

const (
	soError     = 0x1007 // Winsock's
	soReuseAddr = -1     // Winsock's takes the port away from whoever has it; what the Unixes mean by it, it does anyway
	soReusePort = -1     // no such system has it: setting it fails
)
