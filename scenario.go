package dirql

import (
	"github.com/dirql/dirql/device"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/wdf"
)

// Scenario describes a run: a driver, its device, and what happens to them. The
// driver is loaded and the device started first; then the phases follow one
// after the other; then the device is removed and the driver unloaded.
type Scenario struct {
	Name       string // short, as on the command line
	Title      string // one line
	Processors int    // default 1
	Driver     Driver
	Device     Device
	Phases     []Phase
	// Outcome says what came of a run, in a few words; Search tells runs apart
	// by it. Without it, runs differ by their findings only.
	Outcome func() string

	hardware *Hardware // the device is unknown hardware; nil: it is what Device says
}

// Driver is a driver: one written in Go, or a .sys file that LoadDriver has
// read.
type Driver struct {
	Name string
	// Entry is DriverEntry of a driver in Go: it creates the driver object with
	// WdfDriverCreate.
	Entry func(s *wdf.Sys) wdf.NTSTATUS

	file    *pe.File // of a .sys driver
	path    string   // from where it was read
	sum     string   // of its bytes
	pdbName string   // its symbols, if there are some beside it
	pdb     []byte
}

// Device says which device is on the bus and how it is connected.
type Device struct {
	// Model returns a new model in its initial state.
	Model func() device.Model
	// Messages says that the driver's INF allows message-signalled interrupts.
	Messages bool
	// DIRQL is the level of its interrupts, 3 to 11. Default 5.
	DIRQL uint8
	// Affinity is the set of processors that its interrupts can go to; 0: all.
	Affinity uint64
	// WakeInterrupt gives the device an interrupt of its own for wake, the last in its
	// resources: for drivers that set CanWakeDevice.
	WakeInterrupt bool
	// Free lets the device act at any time instead of when virtual time has
	// come: in Search, at every possible point.
	Free bool
	// Lower is what the driver below answers to requests that the driver sends to
	// its default I/O target: always the same to the same request. nil: it does
	// not know any, STATUS_INVALID_DEVICE_REQUEST.
	Lower func(wdf.LowerRequest) wdf.LowerAnswer
}

// Phase is a part of a scenario. Its applications and its system action run at
// the same time; the phase ends when all of them have ended and the machine is
// at rest.
type Phase struct {
	Name         string
	Applications []Application
	// System is what the system does with the device meanwhile: power it down,
	// remove it.
	System func(*System)
}

// Application is a program that uses the device.
type Application struct {
	Name string
	// Processors is the set of processors that it may run on; 0: all.
	Processors uint64
	// Run is its body. It runs in a thread of the simulated machine at
	// PASSIVE_LEVEL.
	Run func(*App)
}
