// Package device simulates PCI devices: what a driver sees of one (its
// configuration space, its registers, its interrupts, its DMA), without a
// machine around it.
//
// Three interfaces meet in a [Function], one PCI function:
//
//	machine --ReadRegister, WriteConfig, Event--> Function --> Model   the device behind the registers
//	machine <------- Host: line, message, DMA --- Function <-- Bus     what a model may do
//
// A [Model] is written by whoever needs a device; [Edu] is one to start from.
// It never touches the machine: everything that it does goes through the [Bus]
// it is handed, and the Function applies the rules of PCI on the way (bus
// mastering off, INTx disabled, messages enabled, D3hot, removed). The machine
// implements [Host].
//
// Rules that hold inside:
//
//   - Virtual time only, in nanoseconds. No wall clock, no goroutines, no
//     random numbers; what may go either way is asked of [Bus.Choose].
//   - The state of a function is bytes (AppendState, RestoreState) and equal
//     states are equal bytes. Snapshots, state hashes and replays use nothing else.
//   - A driver may access anything, anywhere, with any size and value: it gets
//     all ones or is ignored, and a note in the trace says why.
//   - A function is used by one goroutine at a time, and a Host does not call
//     back into the function that calls it.
//
// The facts are those of the PCI Local Bus Specification 3.0 (chapter 6,
// configuration space, MSI and MSI-X) and of the PCI Bus Power Management Interface
// Specification 1.2.
package device
