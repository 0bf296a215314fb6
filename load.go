package dirql

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/dirql/dirql/internal/pe"
)

// maxDriverFile bounds the size of a driver file, in bytes.
const maxDriverFile = 1 << 28

// LoadDriver reads a .sys file. The error says what is wrong with the file, and
// what to do.
func LoadDriver(path string) (Driver, error) {
	data, err := pe.ReadBounded(path, maxDriverFile)
	if err != nil {
		return Driver{}, err
	}
	d, err := ReadDriver(path, data)
	if err != nil {
		return Driver{}, err
	}
	if d.pdbName, d.pdb, err = pe.FindPDB(path, d.file); err != nil {
		return Driver{}, err
	}
	return d, nil
}

// ReadDriver is LoadDriver for the bytes of a .sys file; name, which can be a
// path, is for messages and replay files.
func ReadDriver(name string, data []byte) (Driver, error) {
	f, err := pe.Parse(name, data)
	if err != nil {
		return Driver{}, err
	}
	if k := f.Kind(); k != pe.KMDF {
		return Driver{}, fmt.Errorf("%s: not a driver that dirql runs: %s", name, f.Describe())
	}
	return Driver{Name: strings.TrimSuffix(f.BaseName(), ".sys"), file: f, path: name, sum: fmt.Sprintf("sha256:%x", sha256.Sum256(data))}, nil
}

// SymbolWarnings says why reports about a .sys driver lack names: damaged debug
// information, a PDB of another build, or none. It does not keep it from running.
func (d *Driver) SymbolWarnings() []string {
	if d.file == nil {
		return nil
	}
	var list []string
	symbols := d.file.Symbols(d.pdbName, d.pdb)
	for _, w := range symbols.Warnings {
		list = append(list, w.Error())
	}
	if c := d.file.CodeView; c != nil && d.pdb == nil && !known(symbols, d.file) {
		list = append(list, fmt.Sprintf("%s: its symbols, %s, are not beside it: reports show offsets instead of names", d.file.Name, c.Base()))
	}
	return list
}

// known tells whether there is a name for the entry point.
func known(symbols *pe.SymbolTable, f *pe.File) bool {
	_, _, ok := symbols.Lookup(f.EntryRVA)
	return ok
}
