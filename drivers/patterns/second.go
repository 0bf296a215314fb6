package patterns

import (
	"slices"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/patterns/kit"
	"github.com/dirql/dirql/wdf"
)

// late is how it shows that something runs after its device was stopped.
var late = slices.Concat(freed, []string{"register access in Dx"})

// second lists the patterns from 9 on.
func second() []*Pattern {
	return []*Pattern{
		{9, "p09-cleared-work-item", "the first interrupt after power-up comes before the work item is made again",
			[]string{"WDF_VIOLATION", "data race"}, powerCycle},
		{10, "p10-test-then-pop", "the DPC tests whether a read waits, a cancel takes it, the DPC uses what is not there",
			[]string{"DRIVER_IRQL_NOT_LESS_OR_EQUAL"}, readAndCancel},
		{11, "p11-stop-before-disconnect", "the stop routine frees what the ISR uses before the interrupt is disconnected",
			late, powerDownDuringScan},
		{12, "p12-deferred-after-free", "a DPC that queues itself again outlives the memory that it uses",
			late, powerDownDuringTraffic},
		{13, "p13-timer-not-awaited", "the timer is stopped without waiting for its handler, and the registers are unmapped",
			late, unplugAfterAWhile},
		{14, "p14-drain-then-mask", "suspend waits for the interrupt thread and masks the interrupt afterwards",
			late, suspendDuringJob},
		{15, "p15-waiter-on-stack", "a late interrupt sets an event on the stack of a waiter that has timed out",
			[]string{"use after return", "FREED_SPECIAL_POOL"}, query},
	}
}

// powerCycle: the device goes to D3 and back.
func powerCycle() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "power down and up",
		System: func(s *dirql.System) {
			s.PowerDown()
			s.PowerUp()
		},
	})
}

// readAndCancel: an application gives up reads for which packets may just have
// come.
func readAndCancel() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "reads, and the cancellation of all reads",
		Applications: []dirql.Application{{Name: "receive.exe", Run: func(a *dirql.App) {
			reads := []*dirql.Operation{a.StartRead(4), a.StartRead(4)}
			control(a, kit.IoctlClose)
			for _, read := range reads {
				if _, status := read.Wait(); status != wdf.StatusSuccess && status != wdf.StatusCancelled {
					a.Errorf("a read ended with status 0x%X", uint32(status))
				}
			}
		}}},
	})
}

// powerDownDuringScan: the device goes to D3 while a scan is under way.
func powerDownDuringScan() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name:         "power down during a scan",
		Applications: []dirql.Application{{Name: "scan.exe", Run: func(a *dirql.App) { control(a, kit.IoctlStart) }}},
		System: func(s *dirql.System) {
			s.PowerDown()
			s.PowerUp()
		},
	})
}

// powerDownDuringTraffic: the device goes to D3 while packets come.
func powerDownDuringTraffic() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name:         "power down while packets come",
		Applications: []dirql.Application{{Name: "receive.exe", Run: func(a *dirql.App) { control(a, kit.IoctlStart) }}},
		System: func(s *dirql.System) {
			s.PowerDown()
			s.PowerUp()
		},
	})
}

// unplugAfterAWhile: the device is taken out at about the time when a timer of
// 1 ms expires.
func unplugAfterAWhile() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "surprise removal",
		System: func(s *dirql.System) {
			s.Sleep(1_000_000)
			s.SurpriseRemove()
		},
	})
}

// suspendDuringJob: an application closes while its job is under way.
func suspendDuringJob() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "sleep during a job",
		Applications: []dirql.Application{{Name: "draw.exe", Run: func(a *dirql.App) {
			control(a, kit.IoctlOpen)
			control(a, kit.IoctlStart)
			control(a, kit.IoctlClose)
		}}},
	})
}

// query: an application asks the device, which may answer too late.
func query() *dirql.Scenario {
	return onRing(dirql.Phase{
		Name: "a query",
		Applications: []dirql.Application{{Name: "query.exe", Run: func(a *dirql.App) {
			if _, status := a.DeviceIoControl(kit.IoctlStart, nil, 4); status != wdf.StatusSuccess && status != wdf.StatusIOTimeout {
				a.Errorf("the query ended with status 0x%X", uint32(status))
			}
		}}},
	})
}
