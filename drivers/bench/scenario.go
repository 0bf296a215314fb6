// Package bench has a driver that does as much as a request asks it to, for the
// benchmarks of dirql.
package bench

import (
	_ "embed"
	"encoding/binary"
	"fmt"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// ioctlWork is IOCTL_BENCH_WORK of bench.c.
const ioctlWork = 0x222000

//go:embed bench.sys
var file []byte

// Work is BENCH_WORK of bench.c: what a request asks the driver to do.
type Work struct {
	Descriptors uint32 // that each DPC goes through
	Cycles      uint32 // interrupts with their DPCs; 0: 1
	Inserts     uint32 // more calls of WdfInterruptQueueDpcForIsr in each ISR
	Locks       uint32 // pairs of WdfSpinLockAcquire and WdfSpinLockRelease
	Waits       uint32 // waits for an event that is set before
}

// Scenario is one application with one request.
func Scenario(w Work) *dirql.Scenario {
	d, err := dirql.ReadDriver("drivers/bench/bench.sys", file)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v", err))
	}
	w.Cycles = max(w.Cycles, 1)
	return &dirql.Scenario{
		Name: "bench", Title: "a driver that does as much as a request asks it to", Processors: 1, Driver: d,
		Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }, Messages: true},
		Phases: []dirql.Phase{{Name: "a request", Applications: []dirql.Application{
			{Name: "bench.exe", Run: func(a *dirql.App) { want(a, w) }},
		}}},
	}
}

// want sends the request and checks its result.
func want(a *dirql.App, w Work) {
	var in []byte
	for _, v := range []uint32{w.Descriptors, w.Cycles, w.Inserts, w.Locks, w.Waits} {
		in = binary.LittleEndian.AppendUint32(in, v)
	}
	out, status := a.DeviceIoControl(ioctlWork, in, 4)
	if status != wdf.StatusSuccess || len(out) != 4 || binary.LittleEndian.Uint32(out) != w.Descriptors*w.Cycles {
		a.Errorf("the request ended with status 0x%X and % x", uint32(status), out)
	}
}
