package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	stdhttp "net/http"
	"strings"
	"time"

	h2 "golang.org/x/net/http2"
)

// For a connection, and for an answer: a machine that is busy with other things takes its time.
const limit = 20 * time.Second

type protocol int

const (
	plain protocol = iota
	http1
	http2
)

// The server said that it did not begin with the request.
var errNotTaken = errors.New("not taken")

type connection interface {
	// Whether the server has ended it already.
	isOver() bool
	// Sends a request; gives whether another may be sent.
	ask(target) (bool, error)
	// The serial number of the certificate, if it has one.
	serial() string
	close()
}

func dial(protocol protocol, address, host string, settings *tls.Config) (connection, error) {
	dialer := net.Dialer{Timeout: limit}
	if protocol == plain {
		conn, err := dialer.Dial("tcp", net.JoinHostPort(address, "80"))
		if err != nil {
			return nil, err
		}
		return &http1Connection{conn, bufio.NewReader(conn), ""}, nil
	}
	settings = settings.Clone()
	settings.ServerName = host
	settings.NextProtos = []string{map[bool]string{true: "h2", false: "http/1.1"}[protocol == http2]}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	raw, err := (&tls.Dialer{NetDialer: &dialer, Config: settings}).DialContext(ctx, "tcp", net.JoinHostPort(address, "443"))
	if err != nil {
		return nil, err
	}
	conn := raw.(*tls.Conn)
	serial := fmt.Sprintf("%x", conn.ConnectionState().PeerCertificates[0].SerialNumber)
	if protocol == http1 {
		return &http1Connection{conn, bufio.NewReader(conn), serial}, nil
	}
	client, err := (&h2.Transport{}).NewClientConn(conn)
	if err != nil {
		return nil, err
	}
	return &http2Connection{client, serial}, nil
}

func request(ctx context.Context, target target) *stdhttp.Request {
	request, err := stdhttp.NewRequestWithContext(ctx, "GET", "https://"+target.host+target.path, nil)
	if err != nil {
		panic(err)
	}
	return request
}

func judge(target target, answer *stdhttp.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%d, then: %w", answer.StatusCode, err)
	}
	text := strings.TrimSpace(string(body))
	if answer.StatusCode != target.status || (target.body != "" && text != target.body) {
		return fmt.Errorf("%d %.80q (%s)", answer.StatusCode, text, answer.Header.Get("x-envoy-upstream-service-time"))
	}
	return nil
}

type http1Connection struct {
	net.Conn
	reader *bufio.Reader
	leaf   string
}

func (c *http1Connection) isOver() bool {
	c.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
	_, err := c.reader.Peek(1)
	c.SetReadDeadline(time.Time{})
	var timeout net.Error
	return err == nil || !errors.As(err, &timeout) || !timeout.Timeout()
}

func (c *http1Connection) ask(target target) (bool, error) {
	c.SetDeadline(time.Now().Add(limit))
	question := request(context.Background(), target)
	if err := question.Write(c.Conn); err != nil {
		return false, err
	}
	answer, err := stdhttp.ReadResponse(c.reader, question)
	if err != nil {
		return false, err
	}
	if err := judge(target, answer); err != nil {
		return false, err
	}
	c.SetDeadline(time.Time{})
	return !answer.Close, nil
}

func (c *http1Connection) serial() string { return c.leaf }

func (c *http1Connection) close() { c.Conn.Close() }

type http2Connection struct {
	*h2.ClientConn
	leaf string
}

func (c *http2Connection) isOver() bool { return !c.CanTakeNewRequest() }

func (c *http2Connection) ask(target target) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	answer, err := c.RoundTrip(request(ctx, target))
	if err != nil {
		if isNotTaken(err) {
			err = errNotTaken
		}
		return false, err
	}
	if err := judge(target, answer); err != nil {
		return false, err
	}
	return c.CanTakeNewRequest(), nil
}

// A GOAWAY whose last stream is an earlier one, or a stream that was refused.
func isNotTaken(err error) bool {
	var stream h2.StreamError
	if errors.As(err, &stream) {
		return stream.Code == h2.ErrCodeRefusedStream
	}
	text := err.Error()
	return strings.Contains(text, "graceful shutdown GOAWAY") || strings.Contains(text, "client conn not usable")
}

func (c *http2Connection) serial() string { return c.leaf }

func (c *http2Connection) close() { c.Close() }
