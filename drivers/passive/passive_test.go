package passive_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/wdf"
)

// ioctlFactorial is IOCTL_FACTORIAL of passive.c.
const ioctlFactorial = 0x222000

// scenario asks for a factorial, powers the device down and up, and asks again.
func scenario(t *testing.T, file string) *dirql.Scenario {
	t.Helper()
	d, err := dirql.LoadDriver(file)
	if err != nil {
		t.Fatal(err)
	}
	ask := dirql.Phase{Name: "a factorial", Applications: []dirql.Application{{Name: "factorial.exe", Run: func(a *dirql.App) {
		out, status := a.DeviceIoControl(ioctlFactorial, []byte{5, 0, 0, 0}, 4)
		if status != wdf.StatusSuccess || len(out) != 4 || binary.LittleEndian.Uint32(out) != 120 {
			a.Errorf("the driver returned % x with status 0x%X", out, uint32(status))
		}
	}}}}
	sleep := dirql.Phase{Name: "down and up", System: func(s *dirql.System) {
		s.PowerDown()
		s.PowerUp()
	}}
	return &dirql.Scenario{Name: "passive", Processors: 2, Driver: d, Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
		Phases: []dirql.Phase{ask, sleep, ask}}
}

// The driver's own checks hold, and its variants end with the finding of their
// mistake (PLI-1 to PLI-9, WDFI-1, WDFI-2, WDFI-4 to WDFI-11, WDFI-19, WDFI-32, QD-9).
func TestPassive(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string
	}{
		{"passive.sys", nil},
		{"testdata/changed-resource.sys", []string{"verifier break: interrupt resource"}},
		{"testdata/default-priority.sys", []string{"verifier break: interrupt policy", "start failed"}},
		{"testdata/delete-interrupt.sys", []string{"verifier break: STATUS_CANNOT_DELETE"}},
		{"testdata/dirql-try-lock.sys", []string{"verifier break: WdfInterruptTryToAcquireLock at DIRQL"}},
		{"testdata/lock-in-isr.sys", []string{"self-deadlock"}},
		{"testdata/lock-left.sys", []string{"WdfInterruptLockRelease", "bug check 0x1 APC_INDEX_MISMATCH"}},
		{"testdata/null-interrupt.sys", []string{"bug check 0x10D WDF_VIOLATION"}},
		{"testdata/wrong-queue.sys", []string{"WdfInterruptQueueDpcForIsr with EvtInterruptWorkItem", "WdfInterruptQueueDpcForIsr with EvtInterruptWorkItem"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			for seed := range uint64(5) {
				r, err := scenario(t, c.file).Run(dirql.Options{Seed: seed})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, f := range r.Findings {
					title := f.Title
					for i := range title {
						if title[i] == '(' {
							title = title[:i-1]
							break
						}
					}
					got = append(got, title)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("seed %d: %q, want %q\n%v", seed, got, c.want, r.Findings)
				}
			}
		})
	}
}

// The device is taken out with a request under way: whatever the schedule, the
// request ends and the driver does nothing wrong (PWR-7).
func TestPassiveUnplug(t *testing.T) {
	s := scenario(t, "passive.sys")
	s.Phases = []dirql.Phase{{
		Name: "taken out", Applications: []dirql.Application{{Name: "factorial.exe", Run: func(a *dirql.App) {
			if _, status := a.DeviceIoControl(ioctlFactorial, []byte{5, 0, 0, 0}, 4); status == wdf.StatusPending {
				a.Errorf("the request never ended")
			}
		}}},
		System: func(s *dirql.System) { s.SurpriseRemove() },
	}}
	for seed := range uint64(50) {
		r, err := s.Run(dirql.Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) > 0 {
			t.Fatalf("seed %d: %v", seed, r.Findings)
		}
	}
}
