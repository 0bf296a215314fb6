package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

// slotSize is the distance between the encodings in a file for objdump: more
// than the longest instruction, so that each begins where it should.
const slotSize = 16

// everyOpcode returns each opcode of each map with each mandatory prefix, with
// memory and a register for all values of reg (of r/m, too, where it is part of the
// opcode), one encoding in a slot, filled with NOPs.
func everyOpcode() []byte {
	var all []byte
	for _, prefix := range []string{"", "\x66", "\xF3", "\xF2"} {
		for _, escape := range []string{"", "\x0F", "\x0F\x38", "\x0F\x3A"} {
			for opcode := range 256 {
				for reg := range 8 {
					code := prefix + escape + string([]byte{byte(opcode)})
					all = appendSlot(all, code+string([]byte{byte(reg << 3)}))
					for rm := range 8 {
						if rm == 1 || escape == "\x0F" && (opcode == 0x01 || opcode == 0xAE) {
							all = appendSlot(all, code+string([]byte{byte(0xC0 | reg<<3 | rm)}))
						}
					}
				}
			}
		}
	}
	return all
}

func appendSlot(all []byte, code string) []byte {
	all = append(all, code...)
	for len(all)%slotSize != 0 {
		all = append(all, 0x90)
	}
	return all
}

// outside are opcodes that begin something whose encodings the table does not have
// in detail: prefixes, VEX, EVEX, XOP, x87, 3DNow.
var outside = regexp.MustCompile(`^(26|2E|36|3E|4[0-9A-F]|62|6[4-7]|8F|C[45]|D[89A-F]|F[023]|0F 0F|0F A[67]) `)

// differ are opcodes for which the reason is known why objdump says something else.
var differ = []struct {
	code *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`^0F AE F`), "fences ignore r/m (SDM volume 2, MFENCE)"},
	{regexp.MustCompile(`^((66|F2|F3) )?0F 1[AB]`), "hint space: there is no MPX"},
	{regexp.MustCompile(`^(66|F2|F3) 0F (01|09|BC|BD)`), "a prefix without meaning is ignored"},
	{regexp.MustCompile(`^(66|F2|F3) 0F (01|37|AE|C7|D7)`), "a prefix is not allowed (NP in the SDM)"},
	{regexp.MustCompile(`^66 0F 78`), "reg has to be 0"},
}

// TestEveryOpcode compares with objdump which opcodes are undefined.
func TestEveryOpcode(t *testing.T) {
	program, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	all := everyOpcode()
	file := filepath.Join(t.TempDir(), "opcodes")
	if err := os.WriteFile(file, all, 0o666); err != nil {
		t.Fatal(err)
	}
	equal, bad, known := 0, 0, 0
	raw := gnu{program, []string{"-D", "-b", "binary", "-m", "i386:x86-64"}}
	err = raw.disassemble(file, func(want instruction) bool {
		if want.addr%slotSize != 0 {
			return true
		}
		code := all[want.addr:][:slotSize]
		text := fmt.Sprintf("% X", code)
		opcode := text
		if strings.HasPrefix(text, "66") || strings.HasPrefix(text, "F2") || strings.HasPrefix(text, "F3") {
			opcode = text[3:]
		}
		if outside.MatchString(opcode) {
			return true
		}
		got, err := x86.Decode(code, want.addr)
		undefined := errors.Is(err, x86.ErrUndefined)
		switch isBad := mnemonic(want.text) == "(BAD)"; {
		case isBad && undefined:
			bad++
		case isBad == undefined:
			equal++
		case explained(text):
			known++
		default:
			t.Errorf("%s: %s, here %s %v", text, want.text, got.Name, err)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d encodings are an instruction, %d are none, %d differ for a known reason", equal, bad, known)
	if equal < 25_000 || bad < 35_000 || known > 500 {
		t.Error("too few are equal")
	}
}

func explained(code string) bool {
	for _, d := range differ {
		if d.code.MatchString(code) {
			return true
		}
	}
	return false
}
