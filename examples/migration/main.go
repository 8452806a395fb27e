// Command migration serves one line protocol at the four stages of a migration from callbacks to
// awaitable code. It runs real clients against each stage and compares every reply:
//
//  1. a classic asynchat handler on the classic loop;
//  2. the same handler, unchanged, on a loop that runs tasks too;
//  3. a connection that moves three times: from inside FoundTerminator to a task, along with the
//     input that has been read already; back to the handler; and, between the two halves of a line,
//     from outside to a task again. The table counts the two hand-overs that take it from the
//     handler;
//  4. straight-line code.
//
// The clients hold each conversation many times: split in two, once for every byte at which that
// can be done, and once byte by byte. The server has always read one part before the client sends
// the next. After one wrong reply, or a count that can't be right, the exit status is 1.
//
//	migration                    the comparison
//	migration -listen ADDR       the four servers, at ADDR and the three ports after it,
//	                             for nc or telnet, until Ctrl-C
//
// Read classic.go (stages 1 to 3), modern.go (3 and 4) and handover.go (3) first: they are what is
// compared. The protocol itself is in session.go. What starts each stage is in stages.go. The rest
// is the clients' side.
package main

import (
	"flag"
	"log"
	"os"
)

func main() {
	listen := flag.String("listen", "", "serve at this `address` and the three ports after it, until Ctrl-C")
	flag.Parse()
	log.SetFlags(0)
	err := error(nil)
	if *listen != "" {
		err = serveAll(*listen, os.Stdout)
	} else {
		err = newComparison(os.Stdout, os.Stderr).all(stages)
	}
	if err != nil {
		log.Fatal("migration: ", err)
	}
}
