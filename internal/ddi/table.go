package ddi

import (
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed data/*.csv data/README.md
var data embed.FS

// bug reports a fault in the embedded tables or a wrong constant name in our
// own code. It does not return.
func bug(format string, args ...any) {
	panic("BUG: ddi: " + fmt.Sprintf(format, args...))
}

// dataFile returns the text of an embedded file.
func dataFile(name string) string {
	b, err := data.ReadFile("data/" + name)
	if err != nil {
		bug("%v", err)
	}
	return string(b)
}

// row is one line of a table, its fields reachable by column name.
type row struct {
	file   string
	line   int // 1-based, the header is line 1
	header []string
	fields []string
}

// readTable parses CSV text. The header must be exactly columns, so that a
// table whose shape changed cannot be misread.
func readTable(file, text string, columns ...string) []row {
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		bug("%s: %v", file, err)
	}
	if len(records) < 2 {
		bug("%s: no rows", file)
	}
	header := records[0]
	if !slices.Equal(header, columns) {
		bug("%s: columns are %q, want %q", file, header, columns)
	}
	rows := make([]row, len(records)-1)
	for i, fields := range records[1:] {
		rows[i] = row{file: file, line: i + 2, header: header, fields: fields}
	}
	return rows
}

// text returns the field of a column.
func (r row) text(column string) string {
	i := slices.Index(r.header, column)
	if i < 0 {
		bug("%s: no column %q", r.file, column)
	}
	return r.fields[i]
}

// name returns the field of a column that must not be empty.
func (r row) name(column string) string {
	s := r.text(column)
	if s == "" {
		r.bug("%s is empty", column)
	}
	return s
}

// number returns the decimal number in a column.
func (r row) number(column string) int64 {
	n, err := strconv.ParseInt(r.text(column), 10, 64)
	if err != nil {
		r.bug("%s: %v", column, err)
	}
	return n
}

// size returns the decimal number of bytes in a column; it is never negative.
func (r row) size(column string) uint64 {
	n := r.number(column)
	if n < 0 {
		r.bug("%s: %d is negative", column, n)
	}
	return uint64(n)
}

// oneOf returns the field of a column that must be one of the given values.
func (r row) oneOf(column string, values ...string) string {
	s := r.text(column)
	if !slices.Contains(values, s) {
		r.bug("%s is %q, want one of %q", column, s, values)
	}
	return s
}

// yes returns the truth of a yes/no column.
func (r row) yes(column string) bool {
	return r.oneOf(column, "yes", "no") == "yes"
}

// bug reports a fault in this row. It does not return.
func (r row) bug(format string, args ...any) {
	bug("%s:%d: %s", r.file, r.line, fmt.Sprintf(format, args...))
}
