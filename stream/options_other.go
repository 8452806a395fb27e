//go:build !unix

package stream

const (
	soRcvBuf     = 0x1002
	soSndBuf     = 0x1001
	soKeepAlive  = 0x0008
	soAcceptConn = 0x0002
	soError      = 0x1007 // Winsock's
	// Winsock does anyway what the Unixes mean by SO_REUSEADDR. Its own takes a port that is in
	// use.
	soReuseAddr = -1
	soReusePort = -1 // no such system has it: setting it fails
)
