// Package seam holds the places where a simulation, or a layer of faults, replaces the world: the clock, the poller,
// the choice of what runs next, and the kernel's sockets. There are these four and no more; everything above
// them is the same code in production and in a simulation.
package seam
