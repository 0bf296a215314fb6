// Package bind runs .sys drivers: it loads an image, gives its imports
// addresses, interprets its code, and translates its calls into those of the
// kernel and the framework. It decides nothing about what they mean.
//
// Read driver.go first (what loading is), then exec.go (how guest code runs:
// the loop around the interpreter), call.go (arguments and results),
// registry.go (the one table of what is implemented) and wdfldr.go (how a KMDF
// driver finds the framework). The files kmdf_*.go and nt_*.go hold the routines,
// a line or a few each. fault.go turns what the processor refuses into bug
// checks, or into exceptions, which seh.go dispatches to the driver's __try
// blocks. kernelstack.go finds the use of local variables that are gone.
package bind
