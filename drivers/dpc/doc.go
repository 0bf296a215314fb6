// Package dpc has a driver that tries the kernel's DPCs, locks, waits and
// work items, and variants of it with one mistake each.
package dpc
