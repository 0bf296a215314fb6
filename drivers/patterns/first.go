package patterns

import (
	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// first lists the patterns up to 8.
func first() []*Pattern {
	return []*Pattern{
		{4, "p04-two-owners", "EvtIoStop puts a write back into the queue that the DPC is completing", []string{"WDF_VIOLATION", "InvalidReqAccess"},
			powerDownDuringWrite},
	}
}

// onRing is a scenario with a ring device, two processors and one phase.
func onRing(p dirql.Phase) *dirql.Scenario {
	return &dirql.Scenario{
		Processors: 2, Phases: []dirql.Phase{p},
		Device: dirql.Device{Model: func() device.Model { return NewRing() }},
	}
}

// powerDownDuringWrite: the device goes to D3 and back while it sends.
func powerDownDuringWrite() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "power down and up during a write",
		Applications: []dirql.Application{{Name: "send.exe", Run: func(a *dirql.App) {
			if status := a.Write([]byte{1}); status != wdf.StatusSuccess {
				a.Errorf("the write failed with status 0x%X", uint32(status))
			}
		}}},
		System: func(s *dirql.System) {
			s.PowerDown()
			s.PowerUp()
		},
	})
}
