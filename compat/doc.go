// Package compat moves connections between classic handlers (packages asyncore and asynchat) and
// tasks. So a program can be migrated one handler at a time, even on a live connection.
//
//   - [Handle] serves a stream.Server's connections with an unchanged classic handler.
//   - [Continue], inside a callback, goes on with the connection in a task.
//   - [Stream], in a task, takes a live connection over from a handler.
//   - [Dispatch] gives a connection back to a handler.
//
// Nothing is lost on the way. What was received and not consumed comes first when the new owner
// reads. What was queued and not sent goes out before anything that the new owner writes. A handler
// that keeps buffers of its own tells of them by the methods Unfinished and Unsent.
package compat
