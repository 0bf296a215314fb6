package main

import (
	"testing"

	"github.com/dirql/dirql/internal/x86/hostcpu"
)

// TestUndefined compares what is no instruction with the host's processor.
func TestUndefined(t *testing.T) {
	host, err := hostcpu.New()
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	defer host.Close()
	d := newTester(host)
	d.undefined(50_000, 1)
	for _, r := range d.Reports {
		t.Error(r)
	}
	if d.Mismatches > len(d.Reports) {
		t.Errorf("and %d others", d.Mismatches-len(d.Reports))
	}
	t.Logf("%d cases, %d mismatches", d.Undefined, d.Mismatches)
}
