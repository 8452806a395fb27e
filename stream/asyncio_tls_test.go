//go:build unix || windows

package stream_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// In asyncio, start_tls gave the transport to TLS, and left in the reader's buffer whatever had
// come with the command: python/cpython#142352. Connections have no TLS of their own yet. Package
// tls can be put on a connection as it is, and gets every byte: it reads the buffered ones first.
func TestAsyncioMistake10_StartTLSLosesBytesAlreadyBuffered(t *testing.T) {
	l := startLoop(t, noFaults) // for the client's first segment to come in one piece
	c, p := overTCP.open(t, l)
	wait := in(t, func() {
		client := tls.Client(&pipelined{Conn: p.(net.Conn), first: "STARTTLS\r\n"}, &tls.Config{InsecureSkipVerify: true})
		client.Write([]byte("hello\n")) // the handshake comes first
		line, err := bufio.NewReader(client).ReadString('\n')
		if line != "hello\n" {
			t.Errorf("the client gets %q, %v; want %q", line, err, "hello\n")
		}
		client.Close()
	})
	testkit.InTask(t, l, func(ctx context.Context) {
		line, err := c.ReadLine(ctx)
		mustBe(t, "ReadLine", err, nil)
		if line != "STARTTLS" || c.Buffered() == 0 {
			t.Errorf("ReadLine = %q with %d bytes after it, want %q and some", line, c.Buffered(), "STARTTLS")
		}
		server := tls.Server(&plainConn{ctx, c}, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		said, err := bufio.NewReader(server).ReadString('\n')
		mustBe(t, "reading", err, nil)
		_, err = server.Write([]byte(said))
		mustBe(t, "writing", err, nil)
	})
	wait()
}

// pipelined sends first in front of what is written first.
type pipelined struct {
	net.Conn
	first string
}

func (p *pipelined) Write(b []byte) (int, error) {
	all := append([]byte(p.first), b...)
	n, err := p.Conn.Write(all)
	n -= len(p.first)
	p.first = ""
	return max(n, 0), err
}

// plainConn is a connection as package tls wants one, for one task.
type plainConn struct {
	ctx context.Context
	*stream.Conn
}

func (p *plainConn) Read(b []byte) (int, error)  { return p.Conn.Read(p.ctx, b) }
func (p *plainConn) Write(b []byte) (int, error) { return p.Conn.Write(p.ctx, b) }

func (p *plainConn) SetDeadline(time.Time) error      { return nil }
func (p *plainConn) SetReadDeadline(time.Time) error  { return nil }
func (p *plainConn) SetWriteDeadline(time.Time) error { return nil }

// certificate makes one that nobody trusts.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
