//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestReaderAndWriterOfPackageIO(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		data := pattern(300_000)
		echoed := in(t, func() { io.Copy(struct{ io.Writer }{p}, struct{ io.Reader }{p}); p.CloseWrite() })
		w.run(func(ctx context.Context) {
			sent := in(t, func() {
				n, err := io.Copy(c.Writer(context.Background()), bytes.NewReader(data))
				if n != int64(len(data)) || err != nil {
					t.Errorf("io.Copy = %d, %v; want %d and nil", n, err, len(data))
				}
				mustBe(t, "CloseWrite", c.CloseWrite(context.Background()), nil)
			})
			var first bytes.Buffer
			if n, err := io.CopyN(&first, c.Reader(ctx), 1000); n != 1000 || err != nil {
				t.Errorf("io.CopyN = %d, %v; want 1000 and nil", n, err)
			}
			rest, err := io.ReadAll(c.Reader(ctx))
			if !bytes.Equal(append(first.Bytes(), rest...), data) || err != nil {
				t.Errorf("%d and %d bytes, %v; want the %d sent and nil", first.Len(), len(rest), err, len(data))
			}
			sent()
		})
		echoed()
	})
}

func TestReaderAndWriterEndWithTheirContext(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		w.run(func(ctx context.Context) {
			done, cancel := context.WithCancel(ctx)
			cancel()
			_, err := io.ReadAll(c.Reader(done))
			mustBe(t, "ReadAll", err, context.Canceled)
			_, err = io.WriteString(c.Writer(done), "x")
			mustBe(t, "WriteString", err, context.Canceled)
			io.WriteString(c.Writer(ctx), "y") // a context of its own
			mustBe(t, "CloseWrite", c.CloseWrite(ctx), nil)
		})
		if got, err := io.ReadAll(p); string(got) != "y" || err != nil {
			t.Errorf("%q, %v arrived; want %q and nil", got, err, "y")
		}
	})
}

// What package io has for readers and writers works on a connection, in a task too.
func ExampleConn_Reader() {
	task.Run(context.Background(), func(ctx context.Context) error {
		c, peer := stream.Pipe(ctx)
		peer.WriteString(ctx, "head and body")
		peer.Close()

		var head strings.Builder
		io.CopyN(&head, c.Reader(ctx), 4)
		body, err := io.ReadAll(c.Reader(ctx))
		fmt.Printf("%s,%s %v\n", head.String(), body, err)
		return c.Close()
	})
	// Output:
	// head, and body <nil>
}
