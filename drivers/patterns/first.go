package patterns

import (
	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

// freed is how it shows that memory is used which another processor frees.
var freed = []string{"data race", "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", "DRIVER_IRQL_NOT_LESS_OR_EQUAL"}

// first lists the patterns up to 8.
func first() []*Pattern {
	return []*Pattern{
		{1, "p01-close-without-flush", "close frees the queue that a queued DPC uses",
			freed, openStartClose},
		{2, "p02-flag-then-count", "the DPC tests the flag before it counts itself in, and stop sees nobody inside",
			freed, openStartClose},
		{3, "p03-no-rearm", "the DPC on the second processor returns without unmasking the interrupt",
			[]string{"hang"}, twoReads},
		{4, "p04-two-owners", "EvtIoStop puts a write back into the queue that the DPC is completing",
			[]string{"WDF_VIOLATION", "InvalidReqAccess"}, powerDownDuringWrite},
		{5, "p05-combined-causes", "the ISR knows single causes only, and forgets two that come together",
			[]string{"hang"}, writeAndCommand},
		{6, "p06-lock-in-error-path", "the error path of the DPC takes the lock that the DPC holds",
			[]string{"self-deadlock"}, smallRing},
		{7, "p07-nested-poll", "the receive handler runs the transmit handler, which waits for the receive handler",
			[]string{"DPC_WATCHDOG_VIOLATION"}, readAndWrite},
		{8, "p08-poll-gone-device", "the device is taken out while the driver polls its status",
			[]string{"livelock"}, commandDuringRemoval},
	}
}

// onRing is a scenario with a ring device, two processors and one phase.
func onRing(p dirql.Phase) *dirql.Scenario {
	return &dirql.Scenario{
		Processors: 2, Phases: []dirql.Phase{p},
		Device: dirql.Device{Model: func() device.Model { return NewRing() }},
	}
}

// control sends an I/O control request without data, which has to succeed.
func control(a *dirql.App, code uint32) {
	if _, status := a.DeviceIoControl(code, nil, 0); status != wdf.StatusSuccess {
		a.Errorf("I/O control 0x%X failed with status 0x%X", code, uint32(status))
	}
}

// openStartClose: an application starts work and closes without waiting for
// its end.
func openStartClose() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "an application closes while work is under way",
		Applications: []dirql.Application{{Name: "view.exe", Run: func(a *dirql.App) {
			control(a, kit.IoctlOpen)
			control(a, kit.IoctlStart)
			control(a, kit.IoctlClose)
		}}},
	})
}

// twoReads: two reads wait for packets.
func twoReads() *dirql.Scenario {
	s := onRing(dirql.Phase{
		Name: "two reads",
		Applications: []dirql.Application{{Name: "receive.exe", Run: func(a *dirql.App) {
			for _, o := range []*dirql.Operation{a.StartRead(4), a.StartRead(4)} {
				if _, status := o.Wait(); status != wdf.StatusSuccess {
					a.Errorf("a read failed with status 0x%X", uint32(status))
				}
			}
		}}},
	})
	s.Device.Messages = true
	return s
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

// writeAndCommand: a write and a command are under way at the same time.
func writeAndCommand() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "a write and a command",
		Applications: []dirql.Application{{Name: "disk.exe", Run: func(a *dirql.App) {
			write := a.StartWrite([]byte{1})
			control(a, kit.IoctlStart)
			if _, status := write.Wait(); status != wdf.StatusSuccess {
				a.Errorf("the write failed with status 0x%X", uint32(status))
			}
		}}},
	})
}

// smallRing: packets come to a ring that has room for one.
func smallRing() *dirql.Scenario {
	s := onRing(dirql.Phase{
		Name: "two packets",
		Applications: []dirql.Application{{Name: "receive.exe", Run: func(a *dirql.App) {
			if _, status := a.DeviceIoControl(kit.IoctlStart, nil, 0); status != wdf.StatusSuccess && status != wdf.StatusIODeviceError {
				a.Errorf("the request failed with status 0x%X", uint32(status))
			}
		}}},
	})
	s.Device.Model = func() device.Model {
		r := NewRing()
		r.Slots = 1
		return r
	}
	return s
}

// readAndWrite: a packet comes and one goes at the same time.
func readAndWrite() *dirql.Scenario {
	s := onRing(dirql.Phase{
		Name: "a read and a write",
		Applications: []dirql.Application{{Name: "network.exe", Run: func(a *dirql.App) {
			for _, o := range []*dirql.Operation{a.StartRead(4), a.StartWrite([]byte{1})} {
				if _, status := o.Wait(); status != wdf.StatusSuccess {
					a.Errorf("a request failed with status 0x%X", uint32(status))
				}
			}
		}}},
	})
	s.Device.Messages = true
	return s
}

// commandDuringRemoval: the device is taken out while it carries out a command.
func commandDuringRemoval() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "surprise removal during a command",
		Applications: []dirql.Application{{Name: "control.exe", Run: func(a *dirql.App) {
			a.DeviceIoControl(kit.IoctlStart, nil, 4) // it may fail, but it has to end
		}}},
		System: func(s *dirql.System) { s.SurpriseRemove() },
	})
}
