package rules_test

import (
	"testing"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/drivers/selftest"
)

// scenario sends two I/O controls to a driver, and later powers the device down.
func scenario() *dirql.Scenario {
	return &dirql.Scenario{Name: "rules", Device: dirql.Device{Model: func() device.Model { return device.NewEdu() }},
		Phases: []dirql.Phase{{Name: "rules", System: func(s *dirql.System) {
			s.Sleep(1_000_000)
			s.PowerDown()
		}, Applications: []dirql.Application{{Name: "rules.exe", Run: func(a *dirql.App) {
			for range 2 {
				if _, st := a.DeviceIoControl(0x222000, nil, 0); st != 0 {
					a.Errorf("the I/O control ends with 0x%X", uint32(st))
				}
			}
		}}}}}}
}

// The driver keeps the rules; each variant breaks one, with and without Driver
// Verifier. SpinLockSafe is advice.
func TestRules(t *testing.T) {
	bare, advice := dirql.Profile{DriverVerifierOff: true}, dirql.Profile{AdviceRules: true}
	for _, c := range []struct {
		file    string
		profile dirql.Profile
		title   string // of a finding, "" for none
		rule    string
	}{
		{"rules.sys", dirql.Profile{}, "", ""},
		{"rules.sys", bare, "", ""},
		{"rules.sys", advice, "", ""},
		{"testdata/cancel-lock-held.sys", dirql.Profile{}, "CancelSpinLock", "CancelSpinLock"},
		{"testdata/cancel-lock-held.sys", bare, "CancelSpinLock", "CancelSpinLock"},
		{"testdata/cancel-lock-free.sys", dirql.Profile{}, selftest.Violation + "(0x1007,", "lock not held"},
		{"testdata/cancel-lock-free.sys", bare, "bug check 0x10 ", "SpinLock"},
		{"testdata/cancel-lock-level.sys", dirql.Profile{}, selftest.Violation + "(0x36, 0x0, 0x7, 0x0)", "QueuedSpinLockRelease"},
		{"testdata/complete-locked.sys", dirql.Profile{}, "", ""},
		{"testdata/complete-locked.sys", advice, "SpinLockSafe", "SpinLockSafe"},
		{"testdata/paged-code.sys", dirql.Profile{}, "bug check 0x1E KMODE_EXCEPTION_NOT_HANDLED (0xC0000420,", "PagedCode"},
		{"testdata/paged-code-old.sys", dirql.Profile{}, "bug check 0x1E KMODE_EXCEPTION_NOT_HANDLED (0x80000003,", "PagedCode"},
		{"testdata/complete-dirql.sys", dirql.Profile{}, "KmdfIrql2", "KmdfIrql2"},
		{"testdata/complete-dirql.sys", dirql.Profile{}, "bug check 0xC9 DRIVER_VERIFIER_IOMANAGER_VIOLATION (0xE, 0x5,", ""},
		{"testdata/keep-request.sys", dirql.Profile{}, "bug check 0x9F DRIVER_POWER_STATE_FAILURE (0x3,", ""},
		{"testdata/divide.sys", dirql.Profile{}, "bug check 0x3B SYSTEM_SERVICE_EXCEPTION (0xC0000094,", "exception"},
		{"testdata/leak.sys", dirql.Profile{}, selftest.Violation + "(0x62,", "pool leak"},
		{"testdata/event-level.sys", dirql.Profile{}, selftest.Violation + "(0x2000D,", "IrqlIoPassive4"},
		{"testdata/wmi-level.sys", dirql.Profile{}, selftest.Violation + "(0x2000E,", "IrqlIoPassive5"},
	} {
		t.Run(c.file+" "+c.profile.String(), func(t *testing.T) {
			selftest.Finds(t, selftest.Twice(t, scenario, c.file, dirql.Options{Profile: c.profile}), c.title, c.rule)
		})
	}
}
