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
	f, err := pe.Parse(path, data)
	if err != nil {
		return Driver{}, err
	}
	if k := f.Kind(); k != pe.KMDF {
		return Driver{}, fmt.Errorf("%s: %s", path, f.Describe())
	}
	d := Driver{Name: strings.TrimSuffix(f.BaseName(), ".sys"), file: f, path: path, sum: fmt.Sprintf("sha256:%x", sha256.Sum256(data))}
	if d.pdbName, d.pdb, err = pe.FindPDB(path, f); err != nil {
		return Driver{}, err
	}
	return d, nil
}
