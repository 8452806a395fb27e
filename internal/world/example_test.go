//go:build unix || windows

package world_test

import (
	"fmt"
	"net/netip"

	"github.com/corobridge/corobridge/internal/world"
)

// Sockets as the code above sees them: descriptors, and errnos.
func ExampleSystem() {
	k := world.System()
	fd, errno := k.Socket("tcp4", false)
	defer k.Close(fd)
	k.Bind(fd, world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")})
	k.Listen(fd, 1)
	_, _, accepted := k.Accept(fd)
	fmt.Println(errno == 0, accepted)
	// Output: true resource temporarily unavailable
}
