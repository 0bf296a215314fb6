// Package wake has a driver of a device that wakes itself when it is idle, and the
// system when that sleeps: in Go and, wake.c, in C. Its device is the edu device
// with power management events (PME#), or with an interrupt for wake.
//
// Read driver.go for what a driver has to do, scenario.go for how a scenario lets
// the device wake.
package wake
