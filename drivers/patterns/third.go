package patterns

import (
	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/patterns/kit"
)

// third lists the patterns from 16 on: what gets lost between ISR, DPC and device.
func third() []*Pattern {
	return []*Pattern{
		{16, "p16-pending-flag", "the ISR does not queue the DPC while a mark says that it runs, and the DPC has looked already",
			[]string{"lost work"}, packets},
		{17, "p17-overwritten-causes", "the ISR stores its causes over those that the DPC has not seen",
			[]string{"lost event"}, packets},
		{18, "p18-drain-then-acknowledge", "a packet comes between the last look into the ring and the acknowledgement",
			[]string{"lost wakeup"}, packetsByMessage},
	}
}

// packets: an application starts something and does not wait for it.
func packets() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name:         "an application starts something",
		Applications: []dirql.Application{{Name: "start.exe", Run: func(a *dirql.App) { control(a, kit.IoctlStart) }}},
	})
}

// packetsByMessage: the same with messages.
func packetsByMessage() *dirql.Scenario {
	s := packets()
	s.Device.Messages = true
	return s
}
