package stream

// The options of TCP that say when to probe a peer. A negative one is not there.
const (
	tcpKeepIdle     = 3
	tcpKeepInterval = 17
	tcpKeepCount    = 16
)
