package litmus

import "strings"

// Text returns the lines of the catalogue that are the test, or "" for a test
// that is not from the catalogue. A variant's text has only what it changes.
func (t *Test) Text() string {
	src, err := files.ReadFile(t.File)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(src), "\n")
	end := t.Line
	for end < len(lines) && !strings.HasPrefix(lines[end], "test ") && !strings.HasPrefix(lines[end], "variant ") {
		end++
	}
	return strings.TrimRight(strings.Join(lines[t.Line-1:end], "\n"), "\n") + "\n"
}
