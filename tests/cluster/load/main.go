// The load of the walkthrough on a cluster: clients that keep connections and clients that do not, over HTTP and HTTPS,
// until standard input ends. A line there is answered with the totals so far, as JSON.
//
// net/http's own client sends a request again, and says nothing, when a kept connection ends under it. That is what is
// to be seen here, so that requests are written to connections by hand.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

// What is asked for, and how it has to be answered.
type target struct {
	host, path string
	status     int
	body       string
}

var (
	hello  = target{"a.aliyun.com", "/hello", 200, "Welcome to Nginx Server!"}
	teapot = target{"b.aliyun.com", "/status/418", 418, ""}
	slow   = target{"b.aliyun.com", "/delay/2", 200, ""}
)

// A kind of client, and how many there are of it.
type kind struct {
	name     string
	count    int
	protocol protocol
	isKept   bool
	every    time.Duration
	targets  []target
}

// From busy to rarely used: one that is used once in some seconds learns late that its server is about to go.
var kinds = []kind{
	{"kept https", 2, http1, true, 25 * time.Millisecond, []target{hello, teapot}},
	{"kept https, at times", 3, http1, true, 2 * time.Second, []target{hello, teapot}},
	{"kept https, slow", 2, http1, true, 10 * time.Millisecond, []target{slow}},
	{"kept http/2", 2, http2, true, 25 * time.Millisecond, []target{hello, teapot}},
	{"kept http/2, slow", 2, http2, true, 10 * time.Millisecond, []target{slow}},
	{"kept http", 2, plain, true, 25 * time.Millisecond, []target{hello, teapot}},
	{"kept http, at times", 2, plain, true, 2 * time.Second, []target{hello, teapot}},
	{"new https", 2, http1, false, 50 * time.Millisecond, []target{hello, teapot}},
	{"new http/2", 1, http2, false, 100 * time.Millisecond, []target{hello, teapot}},
	{"new http", 2, plain, false, 50 * time.Millisecond, []target{hello, teapot}},
	{"new http, slow", 1, plain, false, 10 * time.Millisecond, []target{slow}},
}

func main() {
	address := flag.String("address", "", "the gateway's")
	authority := flag.String("authority", "", "the CA, as PEM")
	flag.Parse()
	text, err := os.ReadFile(*authority)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		fmt.Fprintln(os.Stderr, *authority, "has no CA:", err)
		os.Exit(1)
	}
	seen := newTotals()
	for _, kind := range kinds {
		for at := range kind.count {
			go client{kind, *address, &tls.Config{RootCAs: roots}, seen}.run(at)
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := answers.Encode(seen.report()); err != nil {
			os.Exit(1)
		}
	}
}

type client struct {
	kind
	address string
	tls     *tls.Config
	seen    *totals
}

// Sends at its pace, for ever.
func (c client) run(at int) {
	var open connection
	// Not all at once.
	time.Sleep(c.every * time.Duration(at) / time.Duration(c.count))
	for turn := at; ; turn++ {
		begun := time.Now()
		open = c.turn(open, c.targets[turn%len(c.targets)])
		time.Sleep(time.Until(begun.Add(c.every)))
	}
}

// One request; gives the connection if another may be sent on it.
func (c client) turn(open connection, target target) connection {
	if open != nil && open.isOver() {
		open.close()
		open = nil
	}
	isNew := open == nil
	if isNew {
		var err error
		if open, err = dial(c.protocol, c.address, target.host, c.tls); err != nil {
			c.seen.fail(c.name, "connect", err)
			return nil
		}
		c.seen.connected(open.serial())
	}
	mayStay, err := open.ask(target)
	if err == errNotTaken && !isNew {
		// It said so: HTTP/2 has the request sent on another connection.
		open.close()
		c.seen.notTaken()
		return c.turn(nil, target)
	}
	if err != nil {
		use := "a used connection"
		if isNew {
			use = "a new connection"
		}
		c.seen.fail(c.name, use+" "+target.path, err)
		open.close()
		return nil
	}
	c.seen.answered(c.name, mayStay)
	if c.isKept && mayStay {
		return open
	}
	open.close()
	return nil
}
