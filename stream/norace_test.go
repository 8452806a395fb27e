//go:build (unix || windows) && !race

package stream_test

const raceEnabled = false
