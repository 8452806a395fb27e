// Command migration serves one line protocol at the four stages of a migration from callbacks to awaitable code, drives real
// clients against each, and compares every reply:
//
//  1. a classic asynchat handler on the classic loop;
//  2. the same handler, unchanged, on a reactor that runs tasks too;
//  3. a connection that moves three times: from inside FoundTerminator to a task, with what follows already read; back to the
//     handler; and from outside, between the two halves of a line, to a task again. The table counts as hand-overs the two that
//     take it away from the handler;
//  4. straight-line code.
//
// Each conversation is held once for every byte at which it can be split in two, and once byte by byte; the server has read
// each part before the next is sent. One wrong reply, or a count that cannot be, and the exit status is 1.
//
//	migration                    the comparison
//	migration -listen ADDR       the four servers, at ADDR and the three ports after it, for nc or telnet, until Ctrl-C
//
// Read classic.go (stages 1 to 3), modern.go (3 and 4) and handover.go (3) first; they are what is compared. The protocol itself is
// in session.go, what starts each stage in stages.go. The rest is the clients' side.
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
