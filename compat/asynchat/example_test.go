package asynchat_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Boxes reads boxes: a line with a length, and then so many bytes.
type Boxes struct {
	asynchat.Chat
	inBox bool
}

func NewBoxes(c *stream.Conn, m *asyncore.Map) *Boxes {
	b := &Boxes{}
	b.SetTerminator("\n")
	asynchat.Attach(b, c, m)
	return b
}

func (b *Boxes) CollectIncomingData(data []byte) error {
	b.Collect(data)
	return nil
}

func (b *Boxes) FoundTerminator() error {
	text := string(b.Take())
	if b.inBox = !b.inBox; !b.inBox {
		b.SetTerminator("\n")
		return b.PushString("box of " + strings.ToUpper(text) + "\n")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		b.PushString("bye\n")
		b.CloseWhenDone()
		return nil
	}
	b.SetLength(n)
	return nil
}

func ExampleChat() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server, client := stream.Pipe(ctx)
		NewBoxes(server, asyncore.On(server.Loop()))
		client.WriteString(ctx, "3\ncat4\nwolf0\n")
		for line, err := range client.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(line)
		}
		return client.Close()
	})
	// Output:
	// box of CAT
	// box of WOLF
	// bye
}
