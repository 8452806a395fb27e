package stream

import "syscall"

// noNetwork is an error of a new connection that only Linux has.
const noNetwork = syscall.ENONET
