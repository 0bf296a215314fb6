// Package dirql runs Windows drivers that use interrupts, without Windows and
// without hardware: processors with an IRQL, interrupt service routines at
// DIRQL, DPCs, the Kernel-Mode Driver Framework, simulated PCI devices.
//
// A Scenario says which driver runs with which device, what applications do
// with it, and what must hold at the end. Scenario.Run runs it once and gives a
// Report with a timeline; Scenario.Search runs it under every schedule, within
// bounds. A run is a pure function of the scenario and the choices made in it:
// the same choices give the same bytes.
//
// Scenario.Explore searches for schedules in which the driver breaks, and gives
// each as a Discovery with a Replay that shows it again. UnknownScenario makes a
// scenario for any driver file, on hardware of which nothing is known. Package
// dirqltest does both in tests.
//
// Drivers in Go are written with package wdf, device models with package
// device; drivers/edu is the worked example.
package dirql
