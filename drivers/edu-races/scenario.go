// Package races has the driver of the edu device with four mistakes that only
// some interleavings show, edu.c: the example for dirql explore.
package races

import (
	_ "embed"
	"encoding/binary"
	"fmt"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// ioctlFactorial is IOCTL_EDU_FACTORIAL of edu.h.
const ioctlFactorial = 0x222000

//go:embed edu.sys
var file []byte

// Scenario: two applications ask for a factorial at the same time, and one of
// them changes its mind.
func Scenario() *dirql.Scenario {
	d, err := dirql.ReadDriver("drivers/edu-races/edu.sys", file)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v", err))
	}
	return &dirql.Scenario{
		Name: "edu-races", Title: "the example driver with four mistakes that only some interleavings show",
		Processors: 2, Driver: d,
		Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }, Messages: true},
		Phases: []dirql.Phase{{
			Name: "two applications, and a cancelled request", Applications: []dirql.Application{
				{Name: "factorial.exe", Run: func(a *dirql.App) {
					want(a, a.StartDeviceIoControl(ioctlFactorial, number(5), 4), 120)
				}},
				{Name: "impatient.exe", Run: func(a *dirql.App) {
					o := a.StartDeviceIoControl(ioctlFactorial, number(6), 4)
					o.Cancel()
					want(a, o, 720)
				}},
			},
		}},
	}
}

func number(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

// want waits for the end of a request, which may have been cancelled.
func want(a *dirql.App, o *dirql.Operation, n uint32) {
	out, status := o.Wait()
	if status != wdf.StatusCancelled && (status != wdf.StatusSuccess || binary.LittleEndian.Uint32(out) != n) {
		a.Errorf("the request ended with status 0x%X and % x", uint32(status), out)
	}
}
