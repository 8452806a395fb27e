// Command chat is the tutorial's second listing: a chat server on asynchat, at port 8000. What one
// member types, the others get, line by line.
//
//	chat [-listen ADDR]
//
// Repairs. In the listing an async_chat listens. It has no handler for new connections, and neither
// collect_incoming_data nor found_terminator, so nobody is ever accepted. Here a plain dispatcher
// listens, its HandleAccepted makes a member of each connection, and the member is the async_chat.
// The length of a line is limited, so that nobody can fill the memory with a line that never ends.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

func main() {
	address := flag.String("listen", "localhost:8000", "`address` to serve at")
	flag.Parse()
	m := asyncore.NewMap()
	s, err := newServer(*address, m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("chat: listening at", s.Addr())
	log.Fatal(asyncore.Loop(m))
}

// maxLine is how many bytes a line may have.
const maxLine = 4096

// myServer is the room. It and its members are handlers of one loop, so members needs no lock.
type myServer struct {
	asyncore.Dispatcher
	members map[*member]bool
}

func newServer(address string, m *asyncore.Map) (*myServer, error) {
	s := &myServer{members: map[*member]bool{}}
	asyncore.Init(s, m)
	if err := s.CreateSocket("tcp"); err != nil {
		return nil, err
	}
	s.SetReuseAddr()
	if err := s.Bind(address); err != nil {
		return nil, err
	}
	return s, s.Listen(5)
}

func (s *myServer) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	p := &member{room: s}
	p.SetTerminator("\r\n")
	p.SetMaxPending(maxLine)
	asynchat.Attach(p, c, s.Map())
	s.members[p] = true
	return p.PushString("welcome\r\n")
}

// member is one client of the room.
type member struct {
	asynchat.Chat
	room *myServer
}

func (p *member) CollectIncomingData(data []byte) error {
	p.Collect(data)
	return nil
}

// FoundTerminator passes a line on to the others. It ignores errors of PushString: if a push to a
// member fails, only that member is closed.
func (p *member) FoundTerminator() error {
	line := fmt.Sprintf("%v: %s\r\n", p.Addr(), p.Take())
	for q := range p.room.members {
		if q != p {
			q.PushString(line)
		}
	}
	return nil
}

func (p *member) HandleClose() error {
	delete(p.room.members, p)
	return p.Close()
}
