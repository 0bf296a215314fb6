package dirql

import (
	"fmt"
	"io"
	"strings"

	"github.com/dirql/dirql/internal/bind"
)

// Inspect writes what a .sys driver is and needs, and which of that dirql has.
// It returns whether everything is there.
func (d *Driver) Inspect(w io.Writer) bool {
	s := d.file.Summary()
	fmt.Fprintf(w, "%s\n", s.Description)
	if k := s.KMDF; k != nil {
		fmt.Fprintf(w, "KMDF %d.%d, function table of %d entries\n", k.Major, k.Minor, k.Functions)
	}
	fmt.Fprintf(w, "code %d bytes, of which %d pageable and %d discardable\n", s.Code, s.Pageable, s.Discardable)
	if s.PDB != "" {
		fmt.Fprintf(w, "symbols %s\n", s.PDB)
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	fmt.Fprintf(w, "\nsections:\n")
	for _, x := range s.Sections {
		fmt.Fprintf(w, "  %-8s %s %8d bytes at +0x%X\n", x.Name, x.Flags, x.Size, x.RVA)
	}
	for _, dll := range s.Imports {
		inspectNames(w, dll.DLL, dll.Names)
	}
	inspectNames(w, "framework functions", bind.FrameworkCalls(d.file))
	missing := d.missing()
	if len(missing) == 0 {
		fmt.Fprintln(w, "\nEverything that can be seen is supported.")
		return true
	}
	fmt.Fprintf(w, "\nNot supported yet (a run stops where one of them is called): %s\n", strings.Join(missing, ", "))
	return false
}

// missing returns the names of what the driver needs and dirql does not have.
func (d *Driver) missing() []string {
	var list []string
	for _, n := range append(bind.Imports(d.file), bind.FrameworkCalls(d.file)...) {
		if !bind.Implemented(n) {
			list = append(list, n)
		}
	}
	return list
}

// inspectNames lists names, with a mark at those that are not supported.
func inspectNames(w io.Writer, title string, names []string) {
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, n := range names {
		mark := " "
		if !bind.Implemented(n) {
			mark = "-"
		}
		fmt.Fprintf(w, "  %s %s\n", mark, n)
	}
}
