package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dirql": main})
}

// TestScripts runs the command lines of testdata/script, which also show what
// the command does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		Cmds:                map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "patch": patch, "cut": cut},
		Setup: func(e *testscript.Env) error {
			for _, file := range []string{"edu.sys", "testdata/complete-twice.sys"} {
				data, err := os.ReadFile(filepath.Join("../../drivers/edu", file))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(e.WorkDir, filepath.Base(file)), data, 0o666); err != nil {
					return err
				}
			}
			drivers, err := filepath.Abs("../../drivers")
			e.Setenv("DRIVERS", drivers)
			return err
		},
	})
}

// exits CODE PROGRAM ARGUMENT... runs a program that ends with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	code := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, not %s", code, args[0])
	}
}

// patch FROM TO CHANGE... makes a changed copy of a driver file. A change is
// text=text of the same length, all occurrences, or +offset=value: two bytes at
// an offset (hexadecimal) from the PE signature.
func patch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: patch FROM TO CHANGE...")
	}
	data, err := os.ReadFile(args[0])
	ts.Check(err)
	for _, change := range args[2:] {
		from, to, _ := strings.Cut(change, "=")
		if at, ok := strings.CutPrefix(from, "+"); ok {
			offset, err := strconv.ParseUint(at, 16, 16)
			ts.Check(err)
			value, err := strconv.ParseUint(to, 16, 16)
			ts.Check(err)
			binary.LittleEndian.PutUint16(data[uint64(binary.LittleEndian.Uint32(data[60:]))+offset:], uint16(value))
			continue
		}
		to += strings.Repeat("\x00", max(len(from)-len(to), 0))
		if len(from) != len(to) || !bytes.Contains(data, []byte(from)) {
			ts.Fatalf("cannot change %q to %q", from, to)
		}
		data = bytes.ReplaceAll(data, []byte(from), []byte(to))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o666))
}

// cut FROM TO N makes a copy of the first N bytes of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut FROM TO N")
	}
	data, err := os.ReadFile(args[0])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data[:min(n, len(data))], 0o666))
}

// A driver that is cut off anywhere is a mistake of the input with one line
// that says so, or runs where only debug information is missing.
func TestCutDrivers(t *testing.T) {
	data, err := os.ReadFile("../../drivers/edu/testdata/edu-clang.sys")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "cut.sys")
	for n := 0; n < len(data); n += 61 {
		if err := os.WriteFile(name, data[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run([]string{"run", name, "--scenario", "edu"}, &out, &errs)
		if code != exitUsage || strings.Count(errs.String(), "\n") != 1 || !strings.HasPrefix(errs.String(), "dirql: "+name+": ") || out.Len() > 0 {
			t.Fatalf("cut at %d: exit code %d, %s", n, code, &errs)
		}
	}
}
