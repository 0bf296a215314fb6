// Package litmus has the litmus tests as KMDF drivers, one for each group: a.c
// to j.c. litmus.h says how a driver and its test know each other;
// internal/litmus runs them (Options.Driver).
package litmus

import (
	"embed"
	"fmt"

	"github.com/dirql/dirql/internal/pe"
)

//go:embed *.sys
var files embed.FS

// Driver returns the driver of a group of tests, "a" to "j".
func Driver(group string) *pe.File {
	name := group + ".sys"
	data, err := files.ReadFile(name)
	var f *pe.File
	if err == nil {
		f, err = pe.Parse(name, data)
	}
	if err != nil {
		panic(fmt.Sprintf("BUG: %s: %v", name, err))
	}
	return f
}
