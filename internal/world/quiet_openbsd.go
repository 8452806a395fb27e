package world

// quiet can do nothing: SIGPIPE is not a socket's matter here. The Go runtime ignores it, unless the program asks for it.
func quiet(int) {}
