package x86_test

import (
	"testing"
	"time"

	"github.com/dirql/dirql/internal/x86"
)

func TestTmp(t *testing.T) {
	x := uint64(12345)
	next := func() uint64 { x ^= x << 13; x ^= x >> 7; x ^= x << 17; return x }
	var worst time.Duration
	stops := map[x86.Stop]int{}
	ins := uint64(0)
	start := time.Now()
	for n := 0; n < 30000; n++ {
		code := make([]byte, 1+next()%40)
		for i := range code { code[i] = byte(next() >> 20) }
		seed := next()
		t0 := time.Now()
		m := newMachine(t, code)
		for i := range 16 { m.R[i] = m.pub + seed>>(4*i)&0xFF0 }
		m.StopVisible, m.StopPageable = seed&1 != 0, seed&2 != 0
		m.R[x86.RCX] = seed & 15
		var s x86.Stop
		for range 400 {
			s = m.Run(200)
			if !m.answer(s, seed) { break }
		}
		ins += m.Retired
		stops[s]++
		if d := time.Since(t0); d > worst { worst = d; t.Logf("%v %x %d", d, code, seed) }
	}
	t.Log(stops, ins, time.Since(start))
}
