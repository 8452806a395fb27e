// Package asynchat is CPython's asynchat. A handler does not read: it is given lines, or blocks of
// a length. Its output is queued.
//
// A handler embeds [Chat], sets a terminator, and defines CollectIncomingData and FoundTerminator.
//
// When the handler closes, or gives its connection away, inside FoundTerminator, parsing stops: the
// rest of the input is not delivered to it.
package asynchat
