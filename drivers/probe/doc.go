// Package probe has a driver for hardware of which there is no model: its tests
// check what dirql does with any driver on unknown hardware.
package probe
