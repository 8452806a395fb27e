//go:build (unix || windows) && !race

package reactor_test

const raceEnabled = false
