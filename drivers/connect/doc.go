// Package connect has a KMDF driver that connects the interrupt of its device itself,
// with IoConnectInterruptEx, and variants with one mistake each.
package connect
