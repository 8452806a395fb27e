// Package poll tells when descriptors become ready: one contract, one file for each facility of an operating system.
//
// # The contract
//
// A Poller holds registrations. A registration joins a descriptor to a tag, the caller's 64 bits, which come back
// with each event; the caller puts a generation into the tag, so that an event for a descriptor that was closed, and
// its number used again, is recognised and dropped. The poller never looks into a tag; one value, ReservedTag, is
// its own.
//
// Edge registrations report a change once: a direction that was reported is reported again only after the caller has
// seen it block (a would-block error, or a transfer shorter than asked for) and new readiness has come. The caller
// tells so by Rearm. A facility that is edge-triggered itself (epoll, kqueue) has nothing to do there and says
// so by NeedsRearm, so that no call is wasted; one that is level-triggered (poll, select) watches a direction of an
// edge registration only between Rearm, Add or Modify, and the next report. A caller must therefore cope with a report
// too many (it reads and finds nothing), never with one too few.
//
// Level registrations report in each Wait whatever is ready and wanted.
//
// Hangup and Error are always reported, wanted or not. They count as a report of every direction that is wanted: the
// caller tries each, and an edge registration may tell no more until Rearm. ReadHangup, the peer's half-close, is
// wanted by wanting Readable and comes together with it: it tells that a read may find the end, not that data may be
// thrown away.
//
// Select(2) has no word for these three, so it tells of them as readiness, in the directions that are wanted and watched: a hang-up
// and a half-close make a descriptor readable, an error both. Where another facility lacks a word is said where it is made.
//
// A descriptor that is closed while it is registered is forgotten by a poller whose ForgetsClosed is true. The others report Error
// for it, once; until they have noticed, or Remove is called, its number can't be added again. Modify of one that is forgotten fails with
// ENOENT.
//
// Add, Modify, Remove and Rearm may be called from any goroutine, also while Wait blocks, and then take effect in that
// Wait. An event that had been collected before Remove may still be returned once; the tag's generation catches it.
// Wait is for one goroutine at a time. Wake may be called from any goroutine and makes the current Wait, or
// the next one if none is under way, return early; Wakes may be merged. Close is for when no Wait is under way; calls that
// come after it, also from other goroutines, fail with EBADF and touch nothing.
package poll
