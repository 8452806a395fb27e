//go:build unix && !linux && !freebsd && !aix

package poll

// pollReadHangup is poll(2)'s bit for the peer's half-close. There is none here: a half-close only
// makes a descriptor readable.
const pollReadHangup = 0
