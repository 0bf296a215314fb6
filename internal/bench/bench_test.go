package bench

import "testing"

// BenchmarkAll runs what dirql bench runs.
func BenchmarkAll(b *testing.B) {
	for _, c := range All() {
		b.Run(c.Name, c.Run)
	}
}
