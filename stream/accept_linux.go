package stream

import "syscall"

// noNetwork is an error of a new connection that only Linux has.
const noNetwork = syscall.ENONET

// inherits says that an accepted socket has the listener's options, so that each of them costs no
// call of its own.
const inherits = true
