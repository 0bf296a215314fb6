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
	})
}
