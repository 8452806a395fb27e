package stream

// Option sets something of the sockets that Dial and Listen make.
type Option func(*options)

type options struct {
	delay     bool
	reusePort bool
	backlog   int
	bound     bool
	from      *Listener
}

// defaultBacklog is what the kernel cuts to its own limit.
const defaultBacklog = 4096

func applied(opts []Option) options {
	o := options{backlog: defaultBacklog}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// NoDelay turns off (the default) or on Nagle's algorithm, which delays small segments in the hope
// of more to send. Writes are batched already.
func NoDelay(on bool) Option { return func(o *options) { o.delay = !on } }

// ReusePort lets several listeners, each with this option, share an address; the kernel spreads the
// connections.
func ReusePort() Option { return func(o *options) { o.reusePort = true } }

// Backlog sets how many connections may wait to be accepted; the kernel has a limit of its own.
func Backlog(n int) Option { return func(o *options) { o.backlog = n } }
