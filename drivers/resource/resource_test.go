package resource_test

import (
	"testing"

	"github.com/dirql/dirql/drivers/selftest"
)

// The driver tests itself (IRQL-17); each variant ends with the finding that names its
// mistake, with and without Driver Verifier.
func TestIRQL17Resources(t *testing.T) {
	selftest.Check(t, []selftest.Case{
		{File: "resource.sys", Title: selftest.Good, Bare: selftest.Good},
		{File: "testdata/apcs-enabled.sys", Title: selftest.Violation + "(0x37,", Bare: "WithinCriticalRegion"},
		{File: "testdata/release-outside.sys", Title: selftest.Violation + "(0x38,", Bare: "WithinCriticalRegion"},
		{File: "testdata/unaligned.sys", Title: selftest.Violation + "(0x3D,", Bare: "unaligned resource"},
		{File: "testdata/initialize-twice.sys", Title: selftest.Violation + "(0xD0,", Bare: "active resource"},
		{File: "testdata/delete-twice.sys", Title: selftest.Violation + "(0xD1,", Bare: "uninitialized lock"},
		{File: "testdata/free-active.sys", Title: selftest.Violation + "(0xD2,", Bare: "active resource"},
		{File: "testdata/not-owned.sys", Title: "bug check 0xE3", Bare: "bug check 0xE3"},
		{File: "testdata/shared-exclusive.sys", Title: "self-deadlock", Bare: "self-deadlock"},
		{File: "testdata/still-owned.sys", Title: "lock owned at its end", Bare: "lock owned at its end"},
	})
}
