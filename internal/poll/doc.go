// Package poll tells when descriptors become ready: one contract, and one file for each facility of
// an operating system.
//
// # The contract
//
// A Poller holds registrations. A registration joins a descriptor to a tag. The tag is 64 bits of
// the caller's, and each event brings them back. The caller puts a generation into the tag. So it
// recognises, and drops, an event for a descriptor that was closed and whose number is in use
// again. The poller never looks into a tag. One value, ReservedTag, is its own.
//
// An edge registration reports a change once. A direction that was reported is reported again only
// after two things: the caller has seen it block, and new readiness has come. To see it block is to
// get a would-block error, or a transfer shorter than asked for. The caller says so by Rearm. A
// facility that is edge-triggered itself (epoll, kqueue) has nothing to do there; its NeedsRearm is
// false, so that no call is wasted. For a facility that is level-triggered (poll, select) an edge
// registration is watched from Add, Modify or Rearm until the next report. So a caller must cope
// with a report too many: it reads and finds nothing. There is never a report too few.
//
// A level registration reports in each Wait whatever is ready and wanted.
//
// Hangup and Error are always reported, wanted or not. Each counts as a report of every direction
// that is wanted: the caller tries all of them, and an edge registration may tell no more until
// Rearm. ReadHangup is the peer's half-close. It is wanted by wanting Readable, and comes together
// with it. It tells that a read may find the end; data that came before must still be read.
//
// Select(2) has no word for these three conditions. It tells of them as readiness, in the
// directions that are wanted and watched: a hang-up or a half-close makes a descriptor readable, an
// error makes it both readable and writable. Where another facility lacks a word, the function that
// makes the poller says so.
//
// A descriptor may be closed while it is registered. A poller whose ForgetsClosed is true then
// forgets it, and Modify fails with ENOENT. Other pollers report Error for it, once. Its number
// can't be added again until they have done so or Remove is called.
//
// Add, Modify, Remove and Rearm may be called from any goroutine. If a Wait blocks meanwhile, they
// take effect in that Wait. An event that was collected before Remove may still be returned once;
// the generation in the tag catches it. Remove may block until a Wait that is under way has let go
// of the open file, which takes no longer than a wake-up.
//
// Wait is for one goroutine at a time. Wake may be called from any goroutine. It makes the current
// Wait return early, or the next one if none is under way. Several Wakes may count as one.
//
// Close is for when no Wait is under way. Calls that come after it, from any goroutine, fail with
// EBADF and touch nothing.
package poll
