package stream

import (
	"context"
	"io"
)

// Reader returns the connection as a reader of package io, for functions that want one: io.ReadAll,
// io.CopyN, bufio, encoding/json. Each of its Reads is c.Read with ctx, which bounds the waits. It
// may be used wherever c.Read may, so in tasks. What a function reads ahead into a buffer of its
// own is no longer in the connection. From connection to connection Copy does it with fewer copies.
func (c *Conn) Reader(ctx context.Context) io.Reader { return reader{c, ctx} }

// Writer returns the connection as a writer of package io. Each of its Writes is c.Write with ctx:
// it waits only over the high-water mark, and Flush waits for the kernel.
func (c *Conn) Writer(ctx context.Context) io.Writer { return writer{c, ctx} }

type (
	reader struct {
		c   *Conn
		ctx context.Context
	}
	writer struct {
		c   *Conn
		ctx context.Context
	}
)

func (r reader) Read(p []byte) (int, error) { return r.c.Read(r.ctx, p) }

func (w writer) Write(p []byte) (int, error) { return w.c.Write(w.ctx, p) }

// WriteString saves io.WriteString a copy.
func (w writer) WriteString(s string) (int, error) { return w.c.WriteString(w.ctx, s) }
