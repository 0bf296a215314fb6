package edu

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

//go:embed edu.sys
var file []byte

// Binary is the driver of edu.c, which does what the one in Go does.
func Binary() dirql.Driver {
	d, err := dirql.ReadDriver("drivers/edu/edu.sys", file)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v", err))
	}
	return d
}

// Scenario is what dirql run edu runs.
func Scenario() *dirql.Scenario {
	return base("edu", "the example driver: a request, its interrupt, its DPC, its completion", dirql.Phase{
		Name: "an application asks for the factorial of 5", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 5, 120) }},
		},
	})
}

// base is a scenario without phases.
func base(name, title string, phases ...dirql.Phase) *dirql.Scenario {
	return &dirql.Scenario{
		Name: name, Title: title, Phases: phases,
		Driver: dirql.Driver{Name: "edu", Entry: DriverEntry},
		Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
	}
}

// Busy is a scenario with several applications, DMA and a cancelled request,
// with message-signalled interrupts.
func Busy() *dirql.Scenario {
	s := base("edu-busy", "the example driver with three applications, DMA and a cancelled request", dirql.Phase{
		Name: "three applications at once", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) {
				for n, want := range []uint32{1, 1, 2, 6, 24, 120} {
					wantFactorial(a, uint32(n), want)
				}
			}},
			{Name: "copy.exe", Run: wantCopy},
			{Name: "impatient.exe", Run: func(a *dirql.App) {
				o := a.StartDeviceIoControl(IoctlFactorial, binary.LittleEndian.AppendUint32(nil, 10), 4)
				o.Cancel()
				if out, status := o.Wait(); status != wdf.StatusCancelled && (status != wdf.StatusSuccess || binary.LittleEndian.Uint32(out) != 3628800) {
					a.Errorf("the cancelled request ended with status 0x%X and % x", uint32(status), out)
				}
			}},
		},
	})
	s.Processors, s.Device.Messages = 2, true
	return s
}

// Power is a scenario in which the device goes to D3 while a request is under
// way, and comes back.
func Power() *dirql.Scenario {
	return base("edu-power", "the example driver is powered down with a request under way, and up again", dirql.Phase{
		Name: "power down and up during a request", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 6, 720) }},
		},
		System: func(s *dirql.System) {
			s.PowerDown()
			s.Sleep(1_000_000)
			s.PowerUp()
		},
	})
}

// Rebalance is a scenario in which the device is stopped while requests are under
// way, and started again with other resources: first other messages, then its line.
func Rebalance() *dirql.Scenario {
	s := base("edu-rebalance", "the device of the example driver gets other resources with requests under way", dirql.Phase{
		Name: "other addresses and messages", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 6, 720) }},
		},
		System: func(s *dirql.System) { s.Rebalance(dirql.Resources{}) },
	}, dirql.Phase{
		Name: "the line instead of messages", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) { wantFactorial(a, 7, 5040) }},
		},
		System: func(s *dirql.System) { s.Rebalance(dirql.Resources{Line: true}) },
	})
	s.Device.Messages = true
	return s
}

// Unplug is a scenario in which the device is taken out while a request is
// under way.
func Unplug() *dirql.Scenario {
	return base("edu-unplug", "the device of the example driver is taken out with a request under way", dirql.Phase{
		Name: "surprise removal during a request", Applications: []dirql.Application{
			{Name: "factorial.exe", Run: func(a *dirql.App) {
				if _, status := a.DeviceIoControl(IoctlFactorial, []byte{7, 0, 0, 0}, 4); status == wdf.StatusPending {
					a.Errorf("the request never ended")
				}
			}},
		},
		System: func(s *dirql.System) { s.SurpriseRemove() },
	})
}

// wantCopy writes to the device's buffer and reads it back.
func wantCopy(a *dirql.App) {
	data := make([]byte, 600)
	for i := range data {
		data[i] = byte(i * 7)
	}
	if status := a.Write(data); status != wdf.StatusSuccess {
		a.Errorf("the write failed with status 0x%X", uint32(status))
	}
	if back, status := a.Read(len(data)); status != wdf.StatusSuccess || !bytes.Equal(back, data) {
		a.Errorf("the read returned other bytes than were written, with status 0x%X", uint32(status))
	}
}

// wantFactorial asks the device for n! and checks the answer.
func wantFactorial(a *dirql.App, n, want uint32) {
	out, status := a.DeviceIoControl(IoctlFactorial, binary.LittleEndian.AppendUint32(nil, n), 4)
	if status != wdf.StatusSuccess || len(out) != 4 || binary.LittleEndian.Uint32(out) != want {
		a.Errorf("the factorial of %d should be %d, the driver returned % x with status 0x%X", n, want, out, uint32(status))
	}
}
