// Package edu is a KMDF driver, in Go, for the edu PCI device that QEMU
// documents: the worked example of dirql. It shows what a driver of a device
// with an interrupt has to get right:
//
//   - interrupt.go: EvtInterruptIsr does the minimum at DIRQL: it asks its device
//     whether it interrupted, remembers the causes, acknowledges them, and queues
//     the DPC. EvtInterruptDpc does the rest at DISPATCH_LEVEL.
//   - request.go: one request at a time, each of them cancelable; DPC, cancel
//     routine and EvtIoStop agree under a lock on who completes it.
//   - device.go: EvtDriverDeviceAdd, hardware, power.
//   - scenario.go: what applications do with the device, for dirql run.
//
// Requests: IOCTL_EDU_FACTORIAL takes a 32-bit number and returns its factorial
// modulo 2^32; write and read move up to 4096 bytes to and from the device's
// buffer by DMA.
package edu
