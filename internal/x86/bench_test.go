package x86_test

import (
	"testing"

	"github.com/dirql/dirql/internal/x86"
)

// BenchmarkDecode decodes one instruction.
func BenchmarkDecode(b *testing.B) {
	code := bytes(b, "488b842411223344")
	for b.Loop() {
		if _, err := x86.Decode(code, 0); err != nil {
			b.Fatal(err)
		}
	}
}
