package x86_test

import (
	"errors"
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

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
