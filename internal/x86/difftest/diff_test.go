package main

import (
	"os"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/x86/hostcpu"
)

// TestDifferential compares with the host's processor; difftest does more.
func TestDifferential(t *testing.T) {
	host, err := hostcpu.New()
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	defer host.Close()
	cases := 1_000_000
	if testing.Short() {
		cases = 50_000
	}
	d := newTester(host)
	d.random(cases, 20, "")
	for _, r := range d.Reports {
		t.Error(r)
	}
	t.Logf("%d cases of %d encodings in the table, %d mismatches, %d skipped", d.Cases, len(d.rows()), d.Mismatches, d.Skipped)
	if d.Cases < cases || d.Mismatches > 0 {
		t.Errorf("%d cases, %d mismatches", d.Cases, d.Mismatches)
	}
}

// TestRecorded compares with results that a processor gave when they were
// recorded: for hosts where TestDifferential is skipped.
func TestRecorded(t *testing.T) {
	vectors, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, problems := newTester(nil).replayAll(vectors)
	for i, p := range problems {
		if i == 20 {
			break
		}
		t.Error(p)
	}
	if cases < 20_000 {
		t.Errorf("only %d cases", cases)
	}
	checkRecorded(t, string(vectors))
}

// checkRecorded checks that every line of the table has results that were recorded.
func checkRecorded(t *testing.T, vectors string) {
	results := map[string]int{}
	for line := range strings.Lines(vectors) {
		if key, values, ok := strings.Cut(line, ":"); ok {
			results[key] = len(strings.Fields(values)) - strings.Count(values, " -")
		}
	}
	for _, r := range newTester(nil).rows() {
		if key := r.Mnemonic + "|" + r.Encoding + "|" + r.OperandText; results[key] < perRow/4 {
			t.Errorf("%s: %d results: record the vectors again", key, results[key])
		}
	}
}
