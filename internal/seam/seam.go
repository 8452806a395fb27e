package seam

import (
	"context"
	"net/netip"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
)

// Clock is the first seam.
type Clock interface {
	// Now is monotonic time since some fixed point.
	Now() time.Duration
	// Wall is the time of day.
	Wall() time.Time
}

// Poller is the second seam: see package poll for its contract.
type Poller = poll.Poller

// Chooser is the third seam: it picks which of n ready items, 0 ≤ result < n, runs next. A loop without one runs
// them in order.
type Chooser interface{ Choose(n int) int }

// Addr is where a socket is bound or connected: an IP address with its port, or a path of a Unix socket, a leading @ for
// an abstract one, which only Linux has; elsewhere it is refused with EINVAL. It is zero for an unnamed Unix socket. The kernel
// returns IPv4 addresses as such, also those of a dual "tcp6" socket; given to one, an IPv4 address has to be v4-mapped.
type Addr struct {
	IP   netip.AddrPort
	Path string // used when IP is not valid
}

// Kernel is the fourth seam, at the level of system calls. An Errno of 0 is success. Every descriptor it makes
// is non-blocking and not inherited by child processes. Calls that were interrupted have been repeated, except Connect,
// which goes on by itself after EINTR and is reported as EINPROGRESS.
//
// Read, Write, Writev, and Accept never block, and one call moves at most MaxTransfer bytes; on Linux they are made raw, without telling
// the Go scheduler. With no bytes to move they return 0 and make no call. After an errno the count is 0.
//
// On Windows a descriptor is a socket's handle, and errno is one of POSIX's names, as package syscall has them there too.
type Kernel interface {
	// Socket makes a stream socket for "tcp4", "tcp6" or "unix". A "tcp6" socket is IPv6 only unless dual is set.
	Socket(network string, dual bool) (fd int, errno syscall.Errno)
	Bind(fd int, addr Addr) syscall.Errno
	Listen(fd, backlog int) syscall.Errno
	Accept(fd int) (nfd int, peer Addr, errno syscall.Errno)
	// Connect starts a connection: 0 when it stands at once, EINPROGRESS when Writable will tell. EAGAIN, of a
	// Unix socket, means that the listener's backlog is full and nothing has been started.
	Connect(fd int, addr Addr) syscall.Errno
	// Read returns 0, 0 at the end of the stream.
	Read(fd int, p []byte) (int, syscall.Errno)
	Write(fd int, p []byte) (int, syscall.Errno)
	Writev(fd int, bufs [][]byte) (int, syscall.Errno)
	// Shutdown takes syscall.SHUT_RD, SHUT_WR or SHUT_RDWR.
	Shutdown(fd, how int) syscall.Errno
	Close(fd int) syscall.Errno
	SockoptInt(fd, level, name int) (int, syscall.Errno)
	SetSockoptInt(fd, level, name, value int) syscall.Errno
	LocalAddr(fd int) (Addr, syscall.Errno)
	PeerAddr(fd int) (Addr, syscall.Errno)
	// LookupHost resolves a name; an IP address stands for itself. It blocks its goroutine, so a loop calls it through
	// Offload.
	LookupHost(ctx context.Context, host string) ([]netip.Addr, error)
}

// MaxTransfer is how much one raw call moves: a bound on how long it keeps a processor from the Go scheduler.
const MaxTransfer = 256 << 10
