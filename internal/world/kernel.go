package world

import (
	"net/netip"
	"os"
	"syscall"
)

// Kernel is the system calls that a loop makes. An Errno of 0 is success.
//
// Every descriptor that it makes is non-blocking, and child processes do not inherit it. A call
// that was interrupted has been repeated, except for Connect: a connect goes on by itself after
// EINTR, and is reported as EINPROGRESS.
//
// Read, Write, Writev and Accept never block. One call moves at most MaxTransfer bytes. On Linux
// these calls are raw: the Go scheduler is not told of them. With no bytes to move they return 0
// and make no call. After an errno the count is 0.
//
// On Windows a descriptor is a socket's handle. An errno there has the number that package syscall
// gives to POSIX's name, syscall.EAGAIN for instance.
type Kernel interface {
	// Socket makes a stream socket for "tcp4", "tcp6" or "unix". A "tcp6" socket takes IPv6 only,
	// unless dual is set.
	Socket(network string, dual bool) (fd int, errno syscall.Errno)

	// Bind to the zero Addr gives a Unix socket an abstract name, where there are such.
	Bind(fd int, addr Addr) syscall.Errno
	Listen(fd, backlog int) syscall.Errno

	// Accept returns a zero peer if its address is neither IP nor Unix.
	Accept(fd int) (nfd int, peer Addr, errno syscall.Errno)

	// Connect starts a connection. It returns 0 when the connection stands at once, and EINPROGRESS
	// when Writable will tell. EAGAIN, of a Unix socket, means that the listener's backlog is full
	// and nothing has been started.
	Connect(fd int, addr Addr) syscall.Errno

	// Read returns 0, 0 at the end of the stream.
	Read(fd int, p []byte) (int, syscall.Errno)

	// ReadUrgent takes the byte of urgent data that has come. It is EINVAL when there is none, and
	// EAGAIN when it is on its way.
	ReadUrgent(fd int) (b byte, errno syscall.Errno)

	Write(fd int, p []byte) (int, syscall.Errno)
	Writev(fd int, bufs [][]byte) (int, syscall.Errno)

	// Shutdown takes syscall.SHUT_RD, SHUT_WR or SHUT_RDWR.
	Shutdown(fd, how int) syscall.Errno

	Close(fd int) syscall.Errno
	// Reset is Close that drops what the socket has not delivered. Over TCP the peer is told so.
	Reset(fd int) syscall.Errno
	// Undelivered returns how many bytes the socket has taken and its peer has not; 0 where that is
	// not known.
	Undelivered(fd int) int
	SockoptInt(fd, level, name int) (int, syscall.Errno)
	SetSockoptInt(fd, level, name, value int) syscall.Errno

	// SetLinger sets SO_LINGER, and a negative number of seconds turns it off.
	SetLinger(fd, seconds int) syscall.Errno

	LocalAddr(fd int) (Addr, syscall.Errno)
	PeerAddr(fd int) (Addr, syscall.Errno)

	// FileAt returns which file is at a path. It does not follow a link.
	FileAt(path string) File

	// Unlink removes the file that listening at a path has made.
	Unlink(path string) syscall.Errno
}

// File tells one file of the file system from another. The zero File is none.
type File struct{ info os.FileInfo }

// Is reports whether f and other are the same file.
func (f File) Is(other File) bool {
	return f.info != nil && other.info != nil && os.SameFile(f.info, other.info)
}

// MaxTransfer is how many bytes one call moves at most. It bounds how long a raw call keeps a
// processor from the Go scheduler.
const MaxTransfer = 256 << 10

// Addr is where a socket is bound or connected: an IP address with its port, or the path of a Unix
// socket. A leading @ makes an abstract path, which only Linux has: elsewhere it is refused with
// EINVAL. Addr is zero for an unnamed Unix socket.
//
// The kernel returns IPv4 addresses as such, also those of a dual "tcp6" socket. An IPv4 address
// that is given to a dual socket has to be IPv4-mapped.
type Addr struct {
	IP   netip.AddrPort
	Path string // used when IP is not valid
}
