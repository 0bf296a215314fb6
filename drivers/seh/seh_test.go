package seh_test

import (
	"debug/pe"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
)

// The driver tests itself and says which of its tests failed; exceptions that
// nobody handles are bug checks, with the stack of the driver.
func TestStructuredExceptionHandling(t *testing.T) {
	for _, c := range []struct {
		file, title, text string
	}{
		{"seh.sys", "start failed", "DriverEntry failed with STATUS_NOT_SUPPORTED"},
		{"testdata/unhandled.sys", "bug check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xC000000D", "ExRaiseStatus"},
		{"testdata/user-address.sys", "bug check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xC0000005", "read of 0x10"},
		{"testdata/system-address.sys", "bug check 0x50 PAGE_FAULT_IN_NONPAGED_AREA (0xFFFFF00000000000", "nothing is mapped"},
		{"testdata/dispatch-level.sys", "bug check 0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x10, 0x2, 0x0", "nothing is mapped"},
		{"testdata/noncontinuable.sys", "bug check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xC0000025", "cannot be continued"},
		{"testdata/again.sys", "endless loop", "a filter has it go on"},
		{"testdata/in-filter.sys", "not supported yet", "an exception in a filter"},
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
			if f := r.Findings[0]; !strings.HasPrefix(f.Title, c.title) || !strings.Contains(f.Text, c.text) {
				t.Errorf("got %s: %s", f.Title, f.Text)
			}
		})
	}
}

// Damaged unwind information and scope tables: a finding of any kind, or a driver
// that cannot be loaded; dirql does not panic or hang.
func TestDamagedTables(t *testing.T) {
	data, err := os.ReadFile("seh.sys")
	if err != nil {
		t.Fatal(err)
	}
	file, err := pe.Open("seh.sys")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tables := file.Section(".rdata")
	name := filepath.Join(t.TempDir(), "damaged.sys")
	ran := 0
	for n := tables.Offset + 0x1E0; n < tables.Offset+tables.VirtualSize; n += 3 {
		p := append([]byte(nil), data...)
		p[n] ^= byte(n%7 + 1)
		if err := os.WriteFile(name, p, 0o666); err != nil {
			t.Fatal(err)
		}
		s := edu.Scenario()
		if s.Driver, err = dirql.LoadDriver(name); err != nil {
			continue
		}
		ran++
		if _, err := s.Run(dirql.Options{}); err != nil {
			t.Errorf("byte 0x%X: %v", n, err)
		}
	}
	if ran < 100 {
		t.Errorf("only %d of the damaged drivers were run", ran)
	}
}
