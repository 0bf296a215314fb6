package x86_test

import (
	"debug/elf"
	"errors"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"github.com/dirql/dirql/internal/x86"
)

// binaries are files with much machine code that a Linux host may have.
var binaries = []string{"/usr/local/go/bin/go", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6", "/usr/bin/gcc"}

// wrong are first bytes of instructions (behind 66, F2, F3 and REX) whose length
// x86asm gets wrong, without an error.
var wrong = []string{
	"\x0F\x1E",             // ENDBR64, RDSSP: hint space
	"\x0F\x38\xF6",         // ADCX, ADOX
	"\x0F\x38\xF5",         // WRUSS
	"\x0F\xC7",             // RDPID, RDSEED
	"\x0F\x01",             // RDPKRU, WRPKRU, CLAC, STAC, MONITOR, MWAIT
	"\x0F\xAE",             // CLWB, INCSSP
	"\x0F\x1A", "\x0F\x1B", // BND
	"\x0F\x19", "\x0F\x1C", "\x0F\x1D", // hint space
}

// TestLengths decodes the code of real programs and compares the lengths with
// those of golang.org/x/arch.
func TestLengths(t *testing.T) {
	found := false
	for _, name := range binaries {
		f, err := elf.Open(name)
		if err != nil {
			continue
		}
		section := f.Section(".text")
		if f.Machine != elf.EM_X86_64 || section == nil {
			continue
		}
		code, err := section.Data()
		if err != nil {
			t.Fatal(err)
		}
		found = true
		if testing.Short() {
			code = code[:min(len(code), 1<<20)]
		}
		compareLengths(t, name, code)
	}
	if !found {
		t.Skip("SKIPPED: none of these x86-64 programs is here: ", strings.Join(binaries, ", "))
	}
}

func compareLengths(t *testing.T, name string, code []byte) {
	known, unsupported, bad := 0, map[string]int{}, 0
	for at := 0; at+16 <= len(code); {
		theirs, err := x86asm.Decode(code[at:at+16], 64)
		in, ours := x86.Decode(code[at:at+16], 0)
		switch {
		case err != nil || exempt(code[at:at+16]):
			// VEX, EVEX and what x86asm does not know: our length, or a byte
			if ours == nil {
				at += in.Len
			} else {
				at++
			}
			continue
		case ours == nil && in.Len != theirs.Len:
			if bad++; bad < 10 {
				t.Errorf("%s: % X: length %d, should be %d (%v, %s)", name, code[at:at+16], in.Len, theirs.Len, theirs, in.Name)
			}
		case ours == nil:
			known++
		default:
			unsupported[theirs.Op.String()]++
		}
		at += theirs.Len
	}
	t.Logf("%s: %d instructions have equal lengths, not supported: %v", name, known, unsupported)
	if known < 1000 {
		t.Errorf("%s: only %d instructions", name, known)
	}
}

func exempt(code []byte) bool {
	for len(code) > 4 && (code[0] == 0x66 || code[0] == 0xF2 || code[0] == 0xF3 || code[0]&0xF0 == 0x40) {
		code = code[1:]
	}
	if code[0] == 0xC4 || code[0] == 0xC5 || code[0] == 0x62 {
		return true
	}
	for _, w := range wrong {
		if strings.HasPrefix(string(code), w) {
			return true
		}
	}
	return false
}

// TestShortCode: every prefix of an instruction is short, never something else.
func TestShortCode(t *testing.T) {
	for _, s := range []string{"488b842411223344", "c7842411223344aabbccdd", "48b81122334455667788", "f0480fc78c2411223344", "c4e2f3f6c3", "66410f3a0fc105"} {
		code := bytes(t, s)
		for n := range code {
			if _, err := x86.Decode(code[:n], 0); !errors.Is(err, x86.ErrShort) {
				t.Errorf("%s: %d bytes: %v", s, n, err)
			}
		}
		if in, err := x86.Decode(code, 0); err != nil || in.Len != len(code) {
			t.Errorf("%s: %v, length %d", s, err, in.Len)
		}
	}
}
