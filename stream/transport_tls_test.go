//go:build unix || windows

package stream

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// tlsTransport is crypto/tls as a transport, as far as these tests need it. Once the handshake is
// done, a tls.Conn never waits if what is below it never does: see ciphertext. Its Read returns one
// record at most, and holds others, and parts of one, without any event. Its Write always succeeds,
// so write refuses before it calls that.
type tlsTransport struct {
	transport
	conn   *tls.Conn
	below  *ciphertext
	ending bool
}

// maxCiphertext is how much ciphertext is held before write refuses more.
const maxCiphertext = 32 << 10

func (t *tlsTransport) read(p []byte) (n int, more bool, err error) {
	n, err = t.conn.Read(p)
	if errors.Is(err, errNothingThere) {
		err = nil
	}
	if _, failed := t.flush(); err == nil { // reading may answer, to an update of keys say
		err = failed
	}
	return n, n > 0, err
}

func (t *tlsTransport) write(p []byte) (n int, more bool, err error) {
	if t.below.out.Len() >= maxCiphertext {
		return 0, false, nil
	}
	n, err = t.conn.Write(p[:min(len(p), 16<<10)])
	return n, err == nil, err
}

func (t *tlsTransport) flush() (pending bool, err error) {
	for t.below.out.Len() > 0 {
		n, more, err := t.transport.write(t.below.out.Bytes())
		t.below.out.Next(n)
		if err != nil || !more {
			return err == nil && (t.below.out.Len() > 0 || t.ending), err
		}
	}
	if t.ending {
		t.ending = false
		return false, t.transport.closeWrite()
	}
	return false, nil
}

func (t *tlsTransport) closeWrite() error {
	t.ending = true
	return t.conn.CloseWrite()
}

// ciphertext is what is below a tls.Conn: a transport once there is one, and before that, during
// the handshake, what the two ends give to each other.
type ciphertext struct {
	net.Conn // nil: nothing else is called
	from     transport
	mu       sync.Mutex
	came     sync.Cond
	in, out  bytes.Buffer
}

// errNothingThere is a net.Error that is temporary. A tls.Conn keeps any other error for ever.
var errNothingThere error = nothingThere{}

type nothingThere struct{}

func (nothingThere) Error() string   { return "nothing there" }
func (nothingThere) Timeout() bool   { return true }
func (nothingThere) Temporary() bool { return true }

func (c *ciphertext) Read(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.in.Len() == 0 && c.from == nil {
		c.came.Wait()
	}
	if c.in.Len() > 0 {
		return c.in.Read(p)
	}
	if n, _, err = c.from.read(p); n == 0 && err == nil {
		err = errNothingThere
	}
	return n, err
}

func (c *ciphertext) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *ciphertext) Close() error                     { return nil }
func (c *ciphertext) SetDeadline(time.Time) error      { return nil }
func (c *ciphertext) SetWriteDeadline(time.Time) error { return nil }

// give moves everything to the other end's input.
func (c *ciphertext) give(to *ciphertext) {
	c.mu.Lock()
	b := bytes.Clone(c.out.Bytes())
	c.out.Reset()
	c.mu.Unlock()
	to.mu.Lock()
	to.in.Write(b)
	to.came.Broadcast()
	to.mu.Unlock()
}

func plugInTLS12(t testing.TB, tested, peer *Conn, _ int) {
	plugInTLS(t, tls.VersionTLS12, tested, peer)
}
func plugInTLS13(t testing.TB, tested, peer *Conn, _ int) {
	plugInTLS(t, tls.VersionTLS13, tested, peer)
}

// plugInTLS makes a server of the tested connection, and a client of the peer.
func plugInTLS(t testing.TB, version uint16, tested, peer *Conn) {
	below := [2]*ciphertext{{}, {}}
	conns := [2]*tls.Conn{
		tls.Server(below[0], &tls.Config{Certificates: certificates(t), MaxVersion: version}),
		tls.Client(below[1], &tls.Config{InsecureSkipVerify: true, MaxVersion: version}),
	}
	results := make(chan error, 2)
	for i, b := range below {
		b.came.L = &b.mu
		go func() { results <- conns[i].Handshake() }()
	}
	for done := 0; done < 2; {
		below[0].give(below[1])
		below[1].give(below[0])
		select {
		case err := <-results:
			if err != nil {
				t.Fatalf("handshake: %v, want none", err)
			}
			done++
		default:
		}
	}
	below[0].give(below[1]) // tickets, and the last of the handshake
	below[1].give(below[0])
	for i, c := range []*Conn{tested, peer} {
		plugIn(c, func(_ *endpoint, under transport) transport {
			below[i].from = under
			return &tlsTransport{transport: under, conn: conns[i], below: below[i]}
		})
	}
}

var certificates = func() func(t testing.TB) []tls.Certificate {
	made := sync.OnceValues(func() ([]tls.Certificate, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		return []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, err
	})
	return func(t testing.TB) []tls.Certificate {
		c, err := made()
		if err != nil {
			t.Fatalf("making a certificate: %v, want nil", err)
		}
		return c
	}
}()
