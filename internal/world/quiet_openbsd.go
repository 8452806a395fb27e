package world

// quiet does nothing: SIGPIPE can't be turned off for a socket here. The Go runtime ignores the
// signal, unless the program asks for it.
func quiet(int) {}
