package main

import (
	"slices"
	"strings"
)

// exchange is one request and the reply that is right.
type exchange struct{ request, reply string }

// The conversation that every stage must hold. Its replies are written down here, and not computed
// by the code under test. SERVED shows whether the session has survived.
var plain = []exchange{
	{"UPPER hello, world", "HELLO, WORLD"},
	{"SUM 1 2 3 39", "45"},
	{"SERVED", "3"},
	{"", "500 unknown: "},
	{"SUM 1 two", "501 not a number: two"},
	{"UPPER a line that is somewhat longer than the others", "A LINE THAT IS SOMEWHAT LONGER THAN THE OTHERS"},
	{"SERVED", "7"},
	{"QUIT", "221 bye"},
}

// The conversation of a connection that is taken from its handler twice. At MODERN this happens
// inside the callback. After CLASSIC a task takes it from outside, when the server has the first
// half of the line in halves.
var moving = []exchange{
	{"UPPER classic", "CLASSIC"},
	{"SERVED", "2"},
	{"MODERN", "250 going modern"},
	{"UPPER read before the hand-over", "READ BEFORE THE HAND-OVER"},
	{"SERVED", "4"},
	{"CLASSIC", "250 going classic"},
}

var (
	halves      = exchange{"UPPER two halves of one line", "TWO HALVES OF ONE LINE"}
	half        = len(halves.request) / 2
	afterHalves = []exchange{{halves.request[half:], halves.reply}, {"SERVED", "6"}, {"SUM 40 2", "42"}, {"QUIT", "221 bye"}}
)

// takenOver is what the server says when it has taken the connection over. It answers no request.
const takenOver = "250 taken over"

// segment is what a client sends at once, with the replies that must come before it sends the next
// one.
type segment struct {
	send    string
	replies []string
}

// split cuts a conversation into segments that end at these bytes. The replies of a segment are
// those to the lines that it completes.
func split(conversation []exchange, ends ...int) (segments []segment) {
	all := text(conversation)
	start, line, said := 0, 0, 0
	for _, end := range slices.Concat(ends, []int{len(all)}) {
		s := segment{send: all[start:end]}
		for line < len(conversation) && said+len(conversation[line].request)+len("\r\n") <= end {
			said += len(conversation[line].request) + len("\r\n")
			s.replies = append(s.replies, conversation[line].reply)
			line++
		}
		segments = append(segments, s)
		start = end
	}
	return segments
}

// text is all that the client says in a conversation.
func text(conversation []exchange) string {
	var all strings.Builder
	for _, x := range conversation {
		all.WriteString(x.request + "\r\n")
	}
	return all.String()
}

// splits returns a conversation split in two, once for every byte at which that can be done, and
// once cut into single bytes.
func splits(conversation []exchange) (all [][]segment) {
	var every []int
	for i := range len(text(conversation)) + 1 {
		all = append(all, split(conversation, i))
		every = append(every, i)
	}
	return append(all, split(conversation, every[1:len(every)-1]...))
}

// conversations returns the conversations of a stage. For a stage that moves, these are all splits
// of the part before the second hand-over, and all splits of the part after it.
func conversations(moves bool) (all [][]segment) {
	if !moves {
		return splits(plain)
	}
	for _, before := range splits(moving) {
		all = append(all, append(uptoHalf(before), split(afterHalves)...))
	}
	for _, after := range splits(afterHalves) {
		all = append(all, append(uptoHalf(split(moving)), after...))
	}
	return all
}

// uptoHalf adds the first half of a line to the last segment. The classic handler reads this half,
// and the task answers the line.
func uptoHalf(segments []segment) []segment {
	last := &segments[len(segments)-1]
	last.send += halves.request[:half]
	last.replies = append(last.replies, takenOver)
	return segments
}
