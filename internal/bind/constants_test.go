package bind_test

import (
	"os"
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/bind"
	"github.com/dirql/dirql/internal/pe"
)

// The control codes and the numbers that a driver compares registers with are
// found in its code, whichever compiler made it.
func TestConstants(t *testing.T) {
	for _, c := range []struct {
		file   string
		codes  []uint32
		values []uint64
	}{
		{"probe/probe.sys", []uint32{0x222448}, []uint64{0x50524F42, 0x5A}},
		{"edu/edu.sys", []uint32{0x222000}, nil},
		{"edu/testdata/edu-clang.sys", []uint32{0x222000}, nil},
		{"ports/ports.sys", []uint32{0x222000, 0x222004}, nil},
		{"transfer/transfer.sys", []uint32{0x222007, 0x222008, 0x22200C}, nil},
	} {
		data, err := os.ReadFile("../../drivers/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := pe.Parse(c.file, data)
		if err != nil {
			t.Fatal(err)
		}
		codes, values := bind.Constants(f)
		for _, want := range c.codes {
			if !slices.Contains(codes, want) {
				t.Errorf("%s: 0x%X is not among the codes %X", c.file, want, codes)
			}
		}
		for _, want := range c.values {
			if !slices.Contains(values, want) {
				t.Errorf("%s: 0x%X is not among the values %X", c.file, want, values)
			}
		}
		if len(codes) > len(c.codes)+3 {
			t.Errorf("%s: many codes are none: %X", c.file, codes)
		}
	}
}
