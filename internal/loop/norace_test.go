//go:build (unix || windows) && !race

package loop_test

const raceEnabled = false
