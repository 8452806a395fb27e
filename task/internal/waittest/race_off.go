//go:build !race

package waittest

// RaceEnabled is whether the race detector looks on.
const RaceEnabled = false
