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

// specified is a test of the specification.
type specified struct{ number, title, clauses string }

// specification reads the tests of docs/spec/litmus.md: their headings and their lines "Clauses:".
func specification(t testing.TB) (list []specified) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "spec", "litmus.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			number, title, _ := strings.Cut(heading, " ")
			list = append(list, specified{number: number, title: title})
		}
		if clauses, ok := strings.CutPrefix(line, "Clauses: "); ok {
			list[len(list)-1].clauses = strings.ReplaceAll(strings.TrimSuffix(clauses, "."), ",", "")
		}
	}
	return list
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

// TestCatalogueIsComplete compares the catalogue with the specification: every test is there, under its title and with
// its clauses, and no other.
func TestCatalogueIsComplete(t *testing.T) {
	all, spec := mustCatalogue(t), specification(t)
	for _, want := range spec {
		found := false
		for _, lt := range all {
			if lt.Number() != want.number {
				continue
			}
			found = true
			if got := strings.Join(lt.Clauses, " "); got != want.clauses {
				t.Errorf("%s: clauses %s, want %s", lt.ID, got, want.clauses)
			}
			if title, _, _ := strings.Cut(want.title, " ("); !strings.HasPrefix(lt.Title, title) {
				t.Errorf("%s: title %q, want %q", lt.ID, lt.Title, want.title)
			}
		}
		if !found {
			t.Errorf("%s is missing", want.number)
		}
	}
	for _, lt := range all {
		if !slices.ContainsFunc(spec, func(s specified) bool { return s.number == lt.Number() }) {
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
