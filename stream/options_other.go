//go:build !unix

package stream

// soReusePort is an option that no such system has: setting it fails.
const soReusePort = -1
