//go:build freebsd || netbsd

package poll

// There is no filter for out-of-band data here.
const (
	hasOOBFilter = false
	oobFilter    = 0
	oobNote      = 0
)
