package main

import (
	"os"
	"path/filepath"
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
			return nil
		},
	})
}
