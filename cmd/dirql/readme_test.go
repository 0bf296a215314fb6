package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestReadme runs every command that the README shows with its output: in a
// fenced block, after "$ go run ./cmd/dirql". A line "..." stands for lines that
// are left out.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	const prompt = "$ go run ./cmd/dirql "
	blocks := strings.Split(string(text), "```\n"+prompt)[1:]
	if len(blocks) == 0 {
		t.Fatal("the README shows no command")
	}
	for _, b := range blocks {
		b, _, _ = strings.Cut(b, "\n```")
		command, shown, _ := strings.Cut(b, "\n")
		var out, errors bytes.Buffer
		args := strings.Fields(command)
		if args[0] == "explore" {
			args = append(args, "--out", t.TempDir()) // for replay files
		}
		t.Chdir("../..")
		if code := run(args, &out, &errors); code > exitFindings {
			t.Errorf("dirql %s: exit code %d, %s", command, code, &errors)
		}
		t.Chdir("cmd/dirql")
		rest := "\n" + out.String()
		for _, part := range strings.Split("\n"+shown, "\n...\n") {
			_, after, found := strings.Cut(rest, strings.TrimSuffix(part, "\n"))
			if !found {
				t.Errorf("dirql %s does not print this, or not in this order:\n%s\nit prints:\n%s", command, part, &out)
			}
			rest = after
		}
	}
}
