package main

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpToDate checks that the generated files are those of the table.
func TestUpToDate(t *testing.T) {
	for name, text := range files() {
		want := []byte(text)
		if strings.HasSuffix(name, ".go") {
			var err error
			if want, err = format.Source(want); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not up to date: go generate ./internal/x86", name)
		}
	}
}
