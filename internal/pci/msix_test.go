package pci

import (
	"testing"

	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// A function with MSI-X gets a vector for each entry of its table, as many as there
// are, each with a resource of its own, and sends to them (WDFI-16, INT-14).
func TestINT14WDFI16MSIX(t *testing.T) {
	for _, c := range []struct{ vectors, limit, want int }{{4, 0, 4}, {4, 3, 3}, {40, 0, 16}} {
		m, b := newBus(t)
		s, err := b.Add(&device.Unknown{Vectors: c.vectors}, Options{Messages: true})
		if err != nil {
			t.Fatal(err)
		}
		if c.limit != 0 {
			if err := b.Reassign(s, Change{Messages: c.limit}); err != nil {
				t.Fatal(err)
			}
		}
		b.Start(s)
		required := b.Requirements(s)
		if len(required) != c.want {
			t.Fatalf("%d requirements, want %d", len(required), c.want)
		}
		required[1].Policy, required[1].Processors = wdf.IrqPolicySpecifiedProcessors, 2
		raw, translated := b.Resources(s, required)
		seen := map[uint32]bool{}
		n := 0
		for i, r := range translated {
			if r.Type != wdf.CmResourceTypeInterrupt {
				continue
			}
			if seen[r.Vector] || r.Vector>>4 != 5 || raw[i].MessageCount != 1 || r.Flags&wdf.CmResourceInterruptMessage == 0 {
				t.Errorf("message %d: %+v, raw %+v", n, r, raw[i])
			}
			if got := r.Affinity == 2; got != (n == 1) {
				t.Errorf("message %d has affinity %d", n, r.Affinity)
			}
			seen[r.Vector] = true
			isr := connect(t, m, r)
			s.Function.SendMessage(n)
			m.Run()
			if *isr != 1 {
				t.Errorf("message %d was delivered %d times", n, *isr)
			}
			n++
		}
		if c.want < c.vectors {
			s.Function.SendMessage(c.want) // its entry is masked
			m.Run()
		}
		if n != c.want {
			t.Errorf("%d interrupt resources, want %d", n, c.want)
		}
	}
}
