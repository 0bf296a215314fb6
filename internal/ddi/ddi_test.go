package ddi

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mustBug checks that f panics with a text that starts with "BUG:" and contains want.
func mustBug(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		s, _ := recover().(string)
		if !strings.HasPrefix(s, "BUG:") || !strings.Contains(s, want) {
			t.Errorf("panic %q, want BUG: ... %q", s, want)
		}
	}()
	f()
}

// column returns one column of an embedded table, whatever its shape.
func column(t *testing.T, file, name string) []string {
	t.Helper()
	header, _, _ := strings.Cut(dataFile(file), "\n")
	rows := readTable(file, dataFile(file), strings.Split(header, ",")...)
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = r.text(name)
	}
	return list
}

// TestRowCounts compares every table with the count that data/README.md states.
func TestRowCounts(t *testing.T) {
	headings := regexp.MustCompile(`(?m)^## (\S+\.csv) \((\d+) rows(?:, (\d+) structures)?\)$`)
	stated := headings.FindAllStringSubmatch(dataFile("README.md"), -1)
	files, err := data.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	if len(stated) != len(files)-1 {
		t.Errorf("README.md has %d headings with a row count, data has %d tables", len(stated), len(files)-1)
	}
	for _, m := range stated {
		header, _, _ := strings.Cut(dataFile(m[1]), "\n")
		rows := readTable(m[1], dataFile(m[1]), strings.Split(header, ",")...)
		if strconv.Itoa(len(rows)) != m[2] {
			t.Errorf("%s has %d rows, README.md says %s", m[1], len(rows), m[2])
		}
		if m[3] != "" && strconv.Itoa(len(Structs())) != m[3] {
			t.Errorf("%s has %d structures, README.md says %s", m[1], len(Structs()), m[3])
		}
	}
}

// TestPlainText keeps the tables the same bytes on every system.
func TestPlainText(t *testing.T) {
	files, err := data.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := dataFile(f.Name())
		if strings.Contains(text, "\r") || !strings.HasSuffix(text, "\n") || strings.HasPrefix(text, "\ufeff") {
			t.Errorf("%s: want lines that end with \\n, no \\r, no byte order mark", f.Name())
		}
	}
}

// TestEveryRowParses reads every table; a fault panics with file and line.
func TestEveryRowParses(t *testing.T) {
	limits := parseLimits(dataFile(kernelFile))
	names := column(t, kernelFile, "function")
	for _, name := range names {
		if limits[name].Name != name {
			t.Errorf("%s is missing", name)
		}
	}
	slices.Sort(names)
	if n := len(slices.Compact(names)); len(limits) != n {
		t.Errorf("%d names, want %d", len(limits), n)
	}
	parseFunctions(dataFile(kmdfFile))
	parseReleases(dataFile(releaseFile))
	parseStructs(dataFile(structFile))
	parseSizes(dataFile(sizeFile))
	parseEnums(dataFile(enumFile))
	parseNeeds(dataFile(needFile))
}

// TestReadTableFaults checks that a damaged table is named by file and line.
func TestReadTableFaults(t *testing.T) {
	mustBug(t, "no rows", func() { readTable("x.csv", "a,b\n", "a", "b") })
	mustBug(t, "columns are", func() { readTable("x.csv", "a,c\n1,2\n", "a", "b") })
	mustBug(t, "x.csv: record on line 2", func() { readTable("x.csv", "a,b\n1\n", "a", "b") })
	r := readTable("x.csv", "a,b\n1,\n", "a", "b")[0]
	mustBug(t, `x.csv:2: b is empty`, func() { r.name("b") })
	mustBug(t, `x.csv:2: b: strconv`, func() { r.number("b") })
	mustBug(t, `x.csv:2: a is "1", want one of`, func() { r.yes("a") })
	mustBug(t, `no column "c"`, func() { r.text("c") })
	mustBug(t, "missing.csv", func() { dataFile("missing.csv") })
}
