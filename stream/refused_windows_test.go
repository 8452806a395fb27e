package stream_test

import "golang.org/x/sys/windows"

// refusedOfNet is what package net calls a refused connection. Here that is not what package stream calls it.
const refusedOfNet = windows.WSAECONNREFUSED
