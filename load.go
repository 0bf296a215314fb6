package dirql

import (
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
		return Driver{}, fmt.Errorf("%s: %s; dirql runs KMDF drivers", path, f.Describe())
	}
	name := f.BaseName()
	return Driver{Name: strings.TrimSuffix(name, ".sys"), file: f}, nil
}
