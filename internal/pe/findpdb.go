package pe

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FindPDB looks for the PDB of a driver next to it: under the name that the
// linker noted, or under the driver's own. path is that of the driver. It
// returns no data if there is none.
func FindPDB(path string, f *File) (name string, data []byte, err error) {
	base := filepath.Base(path)
	candidates := []string{strings.TrimSuffix(base, filepath.Ext(base)) + ".pdb"}
	if f.CodeView != nil && filepath.IsLocal(f.CodeView.Base()) {
		candidates = append([]string{f.CodeView.Base()}, candidates...)
	}
	for _, c := range candidates {
		for _, c := range []string{c, strings.ToLower(c)} {
			name = filepath.Join(filepath.Dir(path), c)
			data, err = ReadBounded(name, MaxPDB)
			if !errors.Is(err, fs.ErrNotExist) {
				return name, data, err
			}
		}
	}
	return "", nil, nil
}

// ReadBounded reads a regular file of up to limit bytes.
func ReadBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingFile(path)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{File: path, What: "not a file", Offset: -1}
	}
	if info.Size() > limit {
		return nil, &Error{File: path, What: "the file is too large", Offset: -1}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// missingFile is the error for a file that is not there: fs.ErrNotExist in
// words that are the same on every system.
type missingFile string

func (name missingFile) Error() string { return string(name) + ": there is no such file" }

// Unwrap makes errors.Is find fs.ErrNotExist.
func (name missingFile) Unwrap() error { return fs.ErrNotExist }
