package dirql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/dirql/dirql"
)

// The device of a driver comes from the INF beside it, in either encoding.
func TestHardwareFromINF(t *testing.T) {
	sys, err := os.ReadFile("drivers/probe/probe.sys")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ inf, want string }{
		{"", "1AF0:0001:0000:0000:00:0"},
		{"; PCI\\VEN_1111&DEV_2222\nno device", "1AF0:0001:0000:0000:00:0"},
		{"%x% = y, PCI\\VEN_1af4&DEV_1005", "1AF4:1005:0000:0000:00:0"},
		{"%x% = y, PCI\\VEN_1AF4&DEV_1005&SUBSYS_00041AF4&REV_01\nHKR,Interrupt Management\\MessageSignaledInterruptProperties,MSISupported,0x00010001,1",
			"1AF4:1005:1AF4:0004:01:1"},
		{"PCI\\VEN_8086&DEV_100E\nHKR,\"Int\",MSISupported,0x00010001,1\r\nHKR,\"Int\",MessageNumberLimit,0x00010001,3\r\n", "8086:100E:0000:0000:00:3"},
		{"PCI\\VEN_8086&DEV_100E\nHKR,\"Int\",MSISupported,0x00010001,0\nHKR,\"Int\",MessageNumberLimit,0x00010001,3", "8086:100E:0000:0000:00:0"},
		{"PCI\\VEN_8086&DEV_100E\nHKR,\"Int\",MSISupported,0x00010001,1\nHKR,\"Int\",MessageNumberLimit,0x00010001,0x100", "8086:100E:0000:0000:00:16"},
	} {
		for _, wide := range []bool{false, true} {
			dir := t.TempDir()
			path := filepath.Join(dir, "probe.sys")
			if err := os.WriteFile(path, sys, 0o666); err != nil {
				t.Fatal(err)
			}
			data := []byte(c.inf)
			if wide {
				data = []byte{0xFF, 0xFE}
				for _, u := range utf16.Encode([]rune(c.inf)) {
					data = append(data, byte(u), byte(u>>8))
				}
			}
			if c.inf != "" {
				if err := os.WriteFile(filepath.Join(dir, "probe.inf"), data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			d, err := dirql.LoadDriver(path)
			if err != nil {
				t.Fatal(err)
			}
			h, err := d.Hardware()
			if err != nil || h.String() != c.want {
				t.Errorf("%q: %v, %v, want %s", c.inf, h, err, c.want)
			}
			if again, err := dirql.ParseHardware(h.String()); err != nil || again != h {
				t.Errorf("%v became %v, %v", h, again, err)
			}
		}
	}
}

func TestParseHardware(t *testing.T) {
	if h, err := dirql.ParseHardware("1af4:1005"); err != nil || h != (dirql.Hardware{VendorID: 0x1AF4, DeviceID: 0x1005}) {
		t.Errorf("%v, %v", h, err)
	}
	for text, want := range map[string]string{
		"1AF4": "vendor:device", "": "vendor:device", "1AF4:1005:0:0:0:1:2": "vendor:device", "xyz:1": "part 1", "1AF4:10055": "part 2",
		"1AF4:1005:0:0:100": "part 5", "1AF4:1005:0:0:0:17": "0 to 16", "1AF4:1005:0:0:0:64": "0 to 16", "FFFF:1": "nothing is there",
	} {
		if _, err := dirql.ParseHardware(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
