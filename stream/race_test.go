//go:build linux && race

package stream_test

const raceEnabled = true
