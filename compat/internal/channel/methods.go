package channel

import (
	"fmt"
	"net"
	"reflect"

	"github.com/corobridge/corobridge/stream"
)

// Methods are a handler's: those it defines, nil for the others. They are found once, so that an event costs a call.
type Methods struct {
	Read     func() error
	Write    func() error
	Close    func() error
	Connect  func() error
	Accept   func() error
	Accepted func(c *stream.Conn, addr net.Addr) error
	Error    func(err error) error
	Readable func() bool
	Writable func() bool

	Unfinished func() []byte
	Unsent     func() []byte
}

// MethodsOf finds the methods of a handler. A method that has one of the names and another signature would silently never
// be called, so it panics.
func MethodsOf(handler any) Methods {
	var m Methods
	v := reflect.ValueOf(handler)
	for name, into := range map[string]any{
		"HandleRead": &m.Read, "HandleWrite": &m.Write, "HandleClose": &m.Close, "HandleConnect": &m.Connect,
		"HandleAccept": &m.Accept, "HandleAccepted": &m.Accepted, "HandleError": &m.Error,
		"Readable": &m.Readable, "Writable": &m.Writable, "Unfinished": &m.Unfinished, "Unsent": &m.Unsent,
	} {
		method := v.MethodByName(name)
		if !method.IsValid() {
			continue
		}
		slot := reflect.ValueOf(into).Elem()
		if method.Type() != slot.Type() {
			panic(fmt.Sprintf("asyncore: %T.%s must be %v, it is %v", handler, name, slot.Type(), method.Type()))
		}
		slot.Set(method)
	}
	return m
}
