package world

// maxSlices is how many slices one Writev takes. The array of them is on the stack, and a fresh
// goroutine or coroutine has 2 KiB of stack: 16 take 256 bytes of it in the kernel's form, and 384
// as slices.
const maxSlices = 16

// gather appends to into the first slices of bufs that are not empty: as many as into has room for,
// and MaxTransfer bytes at most. What is left over is for the next call, as after any short write.
func gather(into, bufs [][]byte) [][]byte {
	room := MaxTransfer
	for _, p := range bufs {
		if len(p) == 0 {
			continue
		}
		if len(into) == cap(into) || room == 0 {
			break
		}
		p = p[:min(len(p), room)]
		into = append(into, p)
		room -= len(p)
	}
	return into
}
