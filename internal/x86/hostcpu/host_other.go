//go:build !(linux && amd64)

package hostcpu

import (
	"errors"
	"runtime"
)

// Host is the host's processor; there is none here that can be used.
type Host struct{}

// New reports why instructions cannot be executed here.
func New() (*Host, error) {
	return nil, errors.New("native execution needs linux/amd64, this is " + runtime.GOOS + "/" + runtime.GOARCH)
}

// Has reports whether the processor has a feature.
func (*Host) Has(string) bool { return false }

// Data returns the data area.
func (*Host) Data() []byte { return nil }

// Put writes an instruction into a slot.
func (*Host) Put(int, []byte) {}

// Run executes the instruction in a slot.
func (*Host) Run(int, *State, *State) {}

// Close gives the test area up.
func (*Host) Close() {}
