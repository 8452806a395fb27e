//go:build unix

package stream_test

import "syscall"

// refusedOfNet is what package net calls a refused connection.
const refusedOfNet = syscall.ECONNREFUSED
