package dpc_test

import (
	"testing"

	"github.com/dirql/dirql/drivers/selftest"
)

// The driver tests itself and says which of its tests failed; each variant ends
// with the finding that names its mistake, with and without Driver Verifier.
func TestKernelRoutines(t *testing.T) {
	selftest.Check(t, []selftest.Case{
		{File: "dpc.sys", Title: selftest.Good, Bare: selftest.Good},
		{File: "testdata/unload-dpc.sys", Title: "bug check 0xC7 TIMER_OR_DPC_INVALID (0x1,", Bare: "bug check 0xD4"},
		{File: "testdata/unload-work.sys", Title: "bug check 0xCE", Bare: "bug check 0xCE"},
		{File: "testdata/queue-twice.sys", Title: "bug check 0x96", Bare: "bug check 0x96"},
		{File: "testdata/threaded-lock.sys", Title: selftest.Violation + "(0x40,", Bare: "IRQL"},
		{File: "testdata/lock-order.sys", Title: selftest.Violation + "(0x1001,", Bare: selftest.Good},
		{File: "testdata/hold-lock.sys", Title: selftest.Violation + "(0x40009,", Bare: "SpinLock"},
		{File: "testdata/mutex-twice.sys", Title: selftest.Violation + "(0x1000,", Bare: "bug check 0xBF"},
		{File: "testdata/free-twice.sys", Title: selftest.Violation + "(0x13,", Bare: "bug check 0xC2"},
		{File: "testdata/clock.sys", Title: "bug check 0x101", Bare: "bug check 0x101"},
		{File: "testdata/wait-dpc.sys", Title: selftest.Violation + "(0x121,", Bare: "bug check 0xB8"},
		{File: "testdata/work-level.sys", Title: "bug check 0xE1", Bare: "bug check 0xE1"},
	})
}
