package main

import (
	"strconv"
	"strings"
)

// session is what the protocol knows of one connection. It belongs to the connection, not to the
// code that serves it at the moment, and moves along with each hand-over.
type session struct{ served int }

// answer is the protocol: one line in, one line out.
func (s *session) answer(line string) string {
	s.served++
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "UPPER":
		return strings.ToUpper(rest)
	case "SUM":
		sum := 0
		for _, f := range strings.Fields(rest) {
			n, err := strconv.Atoi(f)
			if err != nil {
				return "501 not a number: " + f
			}
			sum += n
		}
		return strconv.Itoa(sum)
	case "SERVED":
		return strconv.Itoa(s.served)
	default:
		return "500 unknown: " + verb
	}
}
