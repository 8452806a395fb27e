//go:build unix || windows

package seam_test

import (
	"fmt"
	"net/netip"

	"github.com/corobridge/corobridge/internal/seam"
)

// The kernel's sockets, as everything above sees them: descriptors, and errno.
func ExampleSystem() {
	k, err := seam.System()
	if err != nil {
		fmt.Println(err)
		return
	}
	fd, errno := k.Socket("tcp4", false)
	defer k.Close(fd)
	k.Bind(fd, seam.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")})
	k.Listen(fd, 1)
	_, _, accepted := k.Accept(fd)
	fmt.Println(errno == 0, accepted)
	// Output: true resource temporarily unavailable
}
