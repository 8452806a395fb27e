package main

import (
	"context"

	"github.com/corobridge/corobridge/stream"
)

// native serves a connection from its first byte, in straight-line code.
func native(ctx context.Context, c *stream.Conn) error {
	if _, err := c.WriteString(ctx, "220 ready\r\n"); err != nil {
		return err
	}
	return new(session).serve(ctx, c)
}

// serve is the protocol's loop. It may begin anywhere in a conversation.
func (s *session) serve(ctx context.Context, c *stream.Conn) error {
	for line, err := range c.Lines(ctx) {
		if err != nil {
			return err
		}
		switch line {
		case "QUIT":
			_, err := c.WriteString(ctx, "221 bye\r\n")
			return err
		case "CLASSIC":
			return s.giveBack(ctx, c)
		}
		if _, err := c.WriteString(ctx, s.answer(line)+"\r\n"); err != nil {
			return err
		}
	}
	return nil
}
