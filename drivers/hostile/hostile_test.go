package hostile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// Each driver ends with the finding that names its mistake, and the stack names
// its routine.
func TestHostileDrivers(t *testing.T) {
	for _, c := range []struct {
		file, title, stack string
	}{
		{"hostile.sys", "start failed", ""},
		{"testdata/spin.sys", "endless loop", "DriverEntry"},
		{"testdata/recurse.sys", "bug check 0x7F", "Deeper"},
		{"testdata/recurse-debug.sys", "bug check 0x7F", "recurse-debug!Deeper+0x2B (./drivers/hostile/hostile.c:"},
		{"testdata/jump.sys", "bug check 0x50", ""},
		{"testdata/write-readonly.sys", "bug check 0xBE", "DriverEntry"},
		{"testdata/trap.sys", "bug check 0x7E", "DriverEntry"},
		{"testdata/divide.sys", "bug check 0x7E", "DriverEntry"},
		{"testdata/dead-event.sys", "use after return", "KeSetEvent"},
	} {
		t.Run(c.file, func(t *testing.T) {
			s := edu.Scenario()
			var err error
			if s.Driver, err = dirql.LoadDriver(c.file); err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(dirql.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Findings) != 1 {
				t.Fatalf("%d findings: %v", len(r.Findings), r.Findings)
			}
			f := r.Findings[0]
			if !strings.HasPrefix(f.Title, c.title) || !strings.Contains(strings.Join(f.Stack, "\n"), c.stack) {
				t.Errorf("got %s, stack %q", f.Title, f.Stack)
			}
		})
	}
}

// An instruction that is not executed stops the run with its bytes, its text, its
// symbol and its address.
func TestUnknownInstructions(t *testing.T) {
	for file, text := range map[string]string{
		"testdata/x87.sys": "the instruction D9 EB (fldpi st0) at x87!DriverEntry (0xFFFFF80000",
		"testdata/avx.sys": "(AVX) at avx!DriverEntry (0xFFFFF80000",
	} {
		s := edu.Scenario()
		var err error
		if s.Driver, err = dirql.LoadDriver(file); err != nil {
			t.Fatal(err)
		}
		r, err := s.Run(dirql.Options{})
		if err != nil || len(r.Findings) != 1 || !r.Findings[0].Unsupported || !strings.Contains(r.Findings[0].Text, text) {
			t.Errorf("%s: %v, %+v", file, err, r.Findings)
		}
	}
}

// A driver file that is cut off or changed is an error or runs; dirql does not
// panic or hang.
func TestDamagedFiles(t *testing.T) {
	data, err := os.ReadFile("hostile.sys")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "damaged.sys")
	try := func(p []byte) {
		t.Helper()
		if err := os.WriteFile(name, p, 0o666); err != nil {
			t.Fatal(err)
		}
		d, err := dirql.LoadDriver(name)
		if err != nil {
			return
		}
		s := edu.Scenario()
		s.Driver = d
		s.Run(dirql.Options{})
	}
	for n := 0; n < len(data); n += 97 {
		try(data[:n])
	}
	for n := 0; n < min(len(data), 2048); n += 5 {
		p := append([]byte(nil), data...)
		p[n] ^= byte(n%7 + 1)
		try(p)
	}
}
