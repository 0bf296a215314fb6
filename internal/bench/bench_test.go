package bench

import "testing"

// BenchmarkAll runs what dirql bench runs.
func BenchmarkAll(b *testing.B) {
	for _, c := range All() {
		b.Run(c.Name, func(b *testing.B) {
			c.Run(b)
			if c.Each > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.Each), "ns/each")
			}
		})
	}
}
