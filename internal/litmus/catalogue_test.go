package litmus

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// catalogued lists the tests of groups A to C with their clauses, as the specification does.
var catalogued = []struct{ number, clauses string }{
	{"L-01", "QD-2 QD-3 DPC-15 DPC-16 DPC-18 DPC-14 INT-5"},
	{"L-02", "QD-4 QD-12 DPC-5 DPC-17"},
	{"L-03", "QD-5 DPC-3 DPC-14 INT-18"},
	{"L-05", "DPC-13 DPC-15 DPC-19"},
	{"L-06", "DPC-2 DPC-3 DPC-5"},
	{"L-07", "DPC-15 DPC-18"},
	{"L-08", "DPC-29 DPC-3 ILK-7 INT-6"},
	{"L-09", "QD-5 INT-5"},
	{"L-10", "INT-6 INT-7 DPC-29"},
	{"L-11", "DPC-29 INT-5"},
	{"L-12", "DPC-17 IRQL-14 SER-5"},
	{"L-13", "DPC-17 IOQ-6"},
	{"L-15", "DPC-21 DPC-19"},
	{"L-16", "DPC-3 DPC-23"},
	{"L-18", "DPC-22 OBJ-3 VER-3"},
	{"L-19", "DPC-21 DPC-26 VER-7"},
	{"L-20", "DPC-7 DPC-13"},
	{"L-22", "INT-19 DPC-5 DPC-9"},
	{"L-23", "DPC-8 DPC-10 DPC-11"},
	{"L-74", "DPC-6"},
}

func mustCatalogue(t testing.TB) []*Test {
	t.Helper()
	all, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func mustTest(t testing.TB, id string) *Test {
	t.Helper()
	for _, lt := range mustCatalogue(t) {
		if lt.ID == id {
			return lt
		}
	}
	t.Fatalf("no test %s in the catalogue", id)
	return nil
}

func TestCatalogueIsComplete(t *testing.T) {
	all := mustCatalogue(t)
	for _, want := range catalogued {
		found := false
		for _, lt := range all {
			if lt.Number() != want.number {
				continue
			}
			found = true
			if got := strings.Join(lt.Clauses, " "); got != want.clauses {
				t.Errorf("%s: clauses %s, want %s", lt.ID, got, want.clauses)
			}
		}
		if !found {
			t.Errorf("%s is missing", want.number)
		}
	}
	for _, lt := range all {
		if !slices.ContainsFunc(catalogued, func(c struct{ number, clauses string }) bool { return c.number == lt.Number() }) {
			t.Errorf("%s is not in the specification", lt.ID)
		}
	}
}

// TestCatalogueSummary keeps what each test expects in a file that can be read beside the specification.
func TestCatalogueSummary(t *testing.T) {
	var w strings.Builder
	for _, lt := range mustCatalogue(t) {
		summarize(&w, lt)
	}
	golden(t, "catalogue.golden", w.String())
}

// summarize writes what a test varies, reports, allows and forbids.
func summarize(w *strings.Builder, lt *Test) {
	fmt.Fprintf(w, "%s  %s\n", lt.ID, lt.Title)
	if lt.Profile.FrameworkVerifierOff {
		fmt.Fprintln(w, "    profile    framework verifier off")
	}
	if lt.Profile.DriverVerifierOff {
		fmt.Fprintln(w, "    profile    Driver Verifier off")
	}
	for _, r := range lt.Reports {
		fmt.Fprintf(w, "    report     %s\n", r)
	}
	if lt.Quiet {
		fmt.Fprintln(w, "    report     none")
	}
	for i := range lt.Steps {
		fmt.Fprintf(w, "    step       %s\n", lt.Step(&lt.Steps[i]))
	}
	for _, a := range lt.Allowed {
		fmt.Fprintf(w, "    allowed    %s", a.Outcome)
		if a.May {
			fmt.Fprint(w, " (may)")
		}
		for _, r := range a.Reports {
			fmt.Fprintf(w, " report %s", r)
		}
		fmt.Fprintln(w)
	}
	for _, f := range lt.Forbidden {
		fmt.Fprintf(w, "    forbidden  %s %s\n", f.Outcome, f.Name)
	}
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; check the difference and run: go test ./internal/litmus -update\n%s", name, firstDifference(string(want), got))
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d:\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
