package ddi

import (
	"strconv"
	"strings"
	"sync"
)

// SizeHistory lists the sizes that one KMDF structure has had; a driver passes
// the size of the headers that it was built with.
type SizeHistory struct {
	Struct string
	// Older are sizes of versions before 1.15 (or of the version named) that the
	// library still accepts, oldest first.
	Older []VersionSize
	// Headers are the sizes in the public headers 1.15 to 1.33, without the
	// versions that do not have the structure.
	Headers []VersionSize
	// Changed is set if the size differs within 1.15 to 1.33.
	Changed bool
}

// VersionSize is the size of a structure in one KMDF version.
type VersionSize struct {
	Version string // as in the table: "1.33", also "1.11 beta"
	Size    uint64 // bytes
}

// Accepts tells whether some version of the structure has that size in bytes.
func (h SizeHistory) Accepts(size uint64) bool {
	for _, list := range [][]VersionSize{h.Older, h.Headers} {
		for _, v := range list {
			if v.Size == size {
				return true
			}
		}
	}
	return false
}

// StructSizes returns the sizes of a KMDF structure by version, and false if
// the structure has no row.
func StructSizes(name string) (SizeHistory, bool) {
	h, ok := sizes()[name]
	return h, ok
}

const sizeFile = "kmdf-struct-sizes.csv"

// sizeVersions are the header versions that the table has a column for.
var sizeVersions = []string{"1.15", "1.17", "1.19", "1.21", "1.23", "1.25", "1.27", "1.31", "1.33"}

var sizes = sync.OnceValue(func() map[string]SizeHistory { return parseSizes(dataFile(sizeFile)) })

func parseSizes(text string) map[string]SizeHistory {
	const older, changed = "older_accepted_sizes(version=size)", "changed_within_1.15_to_1.33"
	columns := append([]string{"struct", older}, sizeVersions...)
	rows := readTable(sizeFile, text, append(columns, changed)...)
	m := make(map[string]SizeHistory, len(rows))
	for _, r := range rows {
		h := SizeHistory{Struct: r.name("struct"), Older: olderSizes(r, r.text(older)), Changed: r.yes(changed)}
		for _, v := range sizeVersions {
			if r.text(v) != "" {
				h.Headers = append(h.Headers, VersionSize{v, r.size(v)})
			}
		}
		if len(h.Headers) == 0 {
			r.bug("%s has no size", h.Struct)
		}
		if h.Changed != sizesDiffer(h.Headers) {
			r.bug("%s is %v, but the columns say otherwise", changed, h.Changed)
		}
		if _, ok := m[h.Struct]; ok {
			r.bug("%s occurs twice", h.Struct)
		}
		m[h.Struct] = h
	}
	return m
}

func sizesDiffer(list []VersionSize) bool {
	for _, v := range list {
		if v.Size != list[0].Size {
			return true
		}
	}
	return false
}

// olderSizes reads "1.7=24; 1.9=28".
func olderSizes(r row, s string) []VersionSize {
	if s == "" {
		return nil
	}
	var list []VersionSize
	for part := range strings.SplitSeq(s, "; ") {
		version, size, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(size, 10, 32)
		if err != nil || version == "" {
			r.bug("older size %q, want for instance 1.9=28", part)
		}
		list = append(list, VersionSize{version, n})
	}
	return list
}
