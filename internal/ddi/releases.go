package ddi

import "sync"

// Release is one KMDF version that clients were built for.
type Release struct {
	Version Version
	// Entries is the length of the function table of a client of this version.
	Entries int
	// ShippedWith is the Windows release that first had it, "" if not known.
	ShippedWith string
	// Source says where the number was read.
	Source string
	// ByPointer tells how WDF_BIND_INFO.FuncTable is used: false, it is an array
	// that the library fills; true, it is the address of a pointer variable that
	// the library sets to its own table.
	ByPointer bool
}

// Releases returns the released KMDF versions, oldest first.
func Releases() []Release { return releases() }

const releaseFile = "kmdf-table-lengths.csv"

var releases = sync.OnceValue(func() []Release { return parseReleases(dataFile(releaseFile)) })

func parseReleases(text string) []Release {
	const filled, pointer = "copied into client table", "client variable set to point at library table"
	rows := readTable(releaseFile, text, "kmdf_version", "function_table_entries", "first_shipped_with", "source",
		"binding_style")
	list := make([]Release, len(rows))
	for i, r := range rows {
		list[i] = Release{
			Version:     r.version("kmdf_version"),
			Entries:     int(r.size("function_table_entries")),
			ShippedWith: r.text("first_shipped_with"),
			Source:      r.name("source"),
			ByPointer:   r.oneOf("binding_style", filled, pointer) == pointer,
		}
		if i == 0 {
			continue
		}
		if last := list[i-1]; list[i].Version.Compare(last.Version) <= 0 || list[i].Entries < last.Entries {
			r.bug("version and number of entries must not fall")
		}
	}
	return list
}
