package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// ExSetTimerResolution makes the clock tick more often, never less, until every request
// was taken back; a DPC that waits on an idle processor for a tick (DPC-9, DPC-11) shows
// when it ticks.
func TestTimerResolution(t *testing.T) {
	const millisecond = 1_000_000
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		dpcs := map[string]uint64{"a": b.noteDPC("a"), "b": b.noteDPC("b"), "c": b.noteDPC("c")}
		waits := func(t *kernel.Thread, name string) {
			t.KeSetTargetProcessorDpc(dpcs[name], 1)
			t.KeInsertQueueDpc(dpcs[name], 0, 0)
			t.KeDelayExecutionThread(kernel.After(2 * millisecond))
			b.note("2ms")
			t.KeDelayExecutionThread(kernel.After(20 * millisecond))
		}
		b.do(func(t *kernel.Thread) {
			waits(t, "a")
			for _, c := range []struct {
				desired   uint32
				set       bool
				want      uint32
				meanwhile string
			}{
				{20_000, true, 20_000, ""},
				{50_000, true, 20_000, ""},
				{1, true, 10_000, "b"},
				{0, false, 10_000, ""},
				{0, false, 10_000, ""},
				{0, false, 156_250, "c"},
				{0, false, 156_250, ""},
			} {
				b.is("resolution", t.ExSetTimerResolution(c.desired, c.set), c.want)
				if c.meanwhile != "" {
					waits(t, c.meanwhile)
				}
			}
		})
		b.noted("2ms a b 2ms 2ms c")
	})
	for _, c := range []crash{
		{name: "IrqlExApcLte2 at DISPATCH_LEVEL", body: raised(2, func(_ *bench, t *kernel.Thread) { t.ExSetTimerResolution(1, true) }),
			code: 0xC4, params: with(0x20006, 2), rule: "IrqlExApcLte2", ends: kernel.Stopped},
		{name: "not restored at unload", body: func(_ *bench, t *kernel.Thread) {
			t.ExSetTimerResolution(1, true)
			t.UnloadDriver("driver", 0x1000, 0x2000)
		}, rule: "timer resolution", ends: kernel.Done},
	} {
		c.check(t)
	}
}
