package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		code, want string
		length     int
	}{
		{"488b842411223344cc", "mov rax, qword ptr [rsp+0x44332211]", 8},
		{"e8fbffffff90", "call 0x1000", 5},
		{"d9c0909090", "fld st0, st0", 2},
		{"0fc7f09090", "rdrand eax", 3},
		{"0f01ca9090", "clac", 3}, // x86asm takes it for another one
		{"c5fe6f0090", "AVX", 5},
		{"62f17c4828c1", "AVX-512", 6},
		{"0f0a90", "no instruction", 3},
		{"48", "no instruction", 1},
	} {
		if text, n := x86.Text(bytes(t, c.code), 0x1000); text != c.want || n != c.length {
			t.Errorf("%s: %q, %d; want %q, %d", c.code, text, n, c.want, c.length)
		}
	}
}
