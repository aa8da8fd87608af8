package main

import (
	"fmt"
	"sync"
	"time"
)

const rememberedFailures = 20

// What was seen since the load began.
type totals struct {
	sync.Mutex
	begun    time.Time
	requests map[string]int
	serials  map[string]int
	closes   int
	again    int
	failed   int
	failures []string
}

// As it is said on standard output.
type report struct {
	Seconds float64 `json:"seconds"`
	// Requests that were answered as they should, by kind of client.
	Requests map[string]int `json:"requests"`
	// Connections by the certificate that they showed, since the last report; "" is without TLS.
	Connections map[string]int `json:"connections"`
	// Answers that said that their connection is about to end.
	Closes int `json:"closes"`
	// Requests that were told not to have been taken.
	Again    int      `json:"again"`
	Failed   int      `json:"failed"`
	Failures []string `json:"failures"`
}

func newTotals() *totals {
	seen := &totals{begun: time.Now(), requests: map[string]int{}, serials: map[string]int{}}
	for _, kind := range kinds {
		seen.requests[kind.name] = 0
	}
	return seen
}

func (t *totals) connected(serial string) {
	t.Lock()
	defer t.Unlock()
	t.serials[serial]++
}

func (t *totals) answered(kind string, mayStay bool) {
	t.Lock()
	defer t.Unlock()
	t.requests[kind]++
	if !mayStay {
		t.closes++
	}
}

func (t *totals) notTaken() {
	t.Lock()
	defer t.Unlock()
	t.again++
}

func (t *totals) fail(kind, what string, err error) {
	t.Lock()
	defer t.Unlock()
	t.failed++
	if len(t.failures) < rememberedFailures {
		after := time.Since(t.begun).Seconds()
		t.failures = append(t.failures, fmt.Sprintf("%.1f s: %s: %s: %v", after, kind, what, err))
	}
}

func (t *totals) report() report {
	t.Lock()
	defer t.Unlock()
	said := report{
		Seconds:     time.Since(t.begun).Seconds(),
		Requests:    map[string]int{},
		Connections: t.serials,
		Closes:      t.closes,
		Again:       t.again,
		Failed:      t.failed,
		Failures:    append([]string{}, t.failures...),
	}
	for kind, count := range t.requests {
		said.Requests[kind] = count
	}
	t.serials = map[string]int{}
	return said
}
