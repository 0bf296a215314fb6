package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/explain"
)

// Every command that a topic shows runs, has no mistake in its line, and ends with
// a finding if the driver is one of those with a mistake.
func TestExplainedCommandsRun(t *testing.T) {
	commands := map[string]string{} // to the topic that shows it
	for _, name := range explain.Names() {
		text, err := explain.Find(strings.Fields(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ {4}dirql (.*)$`).FindAllStringSubmatch(text, -1) {
			commands[m[1]] = name
		}
	}
	if len(commands) < 20 {
		t.Errorf("only %d commands were found", len(commands))
	}
	t.Chdir("../..")
	for command, topic := range commands {
		args := strings.Fields(command)
		if args[0] == "explore" {
			args = append(args, "-o", t.TempDir())
		}
		var out, errors bytes.Buffer
		code := run(args, &out, &errors)
		if code > exitFindings {
			t.Errorf("topic %s: dirql %s: exit code %d, %s", topic, command, code, &errors)
		}
		if strings.Contains(command, "testdata") && code != exitFindings {
			t.Errorf("topic %s: dirql %s shows a mistake, but has no finding", topic, command)
		}
	}
}
