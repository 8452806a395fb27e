package stream_test

import "golang.org/x/sys/windows"

// refusedOfNet is what package net calls a refused connection. Package stream has another name for
// it here.
const refusedOfNet = windows.WSAECONNREFUSED
