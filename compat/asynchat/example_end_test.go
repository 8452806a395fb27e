package asynchat_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Shouter answers short lines, and says that others are too long.
type Shouter struct{ asynchat.Chat }

func NewShouter(c *stream.Conn, m *asyncore.Map) *Shouter {
	s := &Shouter{}
	s.SetTerminator("\n")
	s.SetMaxPending(8)
	asynchat.Attach(s, c, m)
	return s
}

func (s *Shouter) CollectIncomingData(data []byte) error {
	s.Collect(data)
	return nil
}

func (s *Shouter) FoundTerminator() error { return s.PushString(string(s.Take()) + "!\n") }

func (s *Shouter) HandleError(err error) error {
	if errors.Is(err, asynchat.ErrTooMuchPending) {
		return s.PushString("too long\n") // and go on behind that line
	}
	return s.Base().HandleError(err)
}

func ExampleChat_SetMaxPending() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server, client := stream.Pipe(ctx)
		NewShouter(server, asyncore.On(server.Loop()))
		client.WriteString(ctx, "hello\nthis line is too long, DELETE\nbye\n")
		client.CloseWrite(ctx)
		for line, err := range client.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return client.Close()
	})
	// Output:
	// hello!
	// too long
	// bye!
}

// Upload says why it ends.
type Upload struct{ Shouter }

func (u *Upload) HandleClose() error {
	switch {
	case u.Cause() == io.EOF:
		fmt.Println("226 stored")
	case errors.Is(u.Cause(), asynchat.ErrDone):
		fmt.Println("221 goodbye")
	default:
		fmt.Println("426 connection lost")
	}
	return u.Close()
}

func ExampleChat_cause() {
	task.Run(context.Background(), func(ctx context.Context) error {
		for _, end := range []func(u *Upload, client *stream.Conn){
			func(u *Upload, _ *stream.Conn) { u.CloseWhenDone() },
			func(_ *Upload, client *stream.Conn) { client.CloseWrite(ctx) },
		} {
			server, client := stream.Pipe(ctx)
			u := &Upload{}
			asynchat.Attach(u, server, asyncore.On(server.Loop()))
			end(u, client)
			for range client.Lines(ctx) { // until the end
			}
			client.Close()
		}
		return nil
	})
	// Output:
	// 221 goodbye
	// 226 stored
}
