// Package patterns has mistakes that were made in real drivers, each as a small
// driver of its own: pNN-name/driver.c says what goes wrong and how it is
// mended, buggy.sys is that driver with the mistake, fixed.sys without. dirql
// patterns explores all of them. Drivers without EvtIoStop rely on the device to
// end every request soon: power-down waits for that (IOQ-12).
//
// patterns.go says what a pattern is, first.go, second.go and third.go list them
// with their scenarios, ring.go is the device of all of them, and pattern.h what the
// drivers share. Some are there in Go, too (golang.go): pNN-name/driver.go, with
// and without the mistake, and package kit.
package patterns
