// Package asynchat is CPython's asynchat: handlers that are given lines, or blocks of a length, instead of
// reading them, and whose output is queued.
//
// A handler embeds [Chat], sets a terminator, and defines CollectIncomingData and FoundTerminator.
//
// Parsing stops when the handler closes, or hands its connection over, inside FoundTerminator: what
// follows is not delivered to a handler that has gone.
package asynchat
