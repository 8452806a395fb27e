// Package channel is what a classic handler is run by: the events of one connection or listener, turned into calls of the
// handler's methods, on the callbacks of a loop. Packages asyncore and asynchat give it its public face; package
// compat moves connections in and out of it.
//
// Everything in it is touched on the loop only, or before the loop runs.
package channel
