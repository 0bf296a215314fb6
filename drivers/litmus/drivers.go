// Package litmus has the litmus tests of groups A to I as KMDF drivers: a.c
// to i.c. litmus.h says how a driver and its test know each other;
// internal/litmus runs them (Options.Driver).
package litmus

import (
	"embed"
	"fmt"

	"github.com/dirql/dirql/internal/pe"
)

//go:embed *.sys
var files embed.FS

// Driver returns the driver of a group of tests, "a" to "i", nil if the group
// has none.
func Driver(group string) *pe.File {
	name := group + ".sys"
	data, err := files.ReadFile(name)
	if err != nil {
		return nil
	}
	f, err := pe.Parse(name, data)
	if err != nil {
		panic(fmt.Sprintf("BUG: %s: %v", name, err))
	}
	return f
}
