// Package ddi holds what is documented about the Windows driver interface: the
// IRQL range of kernel routines, KMDF functions and callbacks, the KMDF function
// table, structure layouts, enumerators, and which of all that real drivers use.
//
// Read data/README.md first: it explains the tables. Then [Limits], which is
// what an IRQL check asks, and [Functions], which is what binding a driver asks.
//
// The facts are CSV files in data/, embedded into the binary and parsed on first
// use, each once. Rules that hold here:
//
//   - Facts, no behaviour: nothing in this package knows what a routine does.
//   - It imports nothing from the project, so every layer may use it.
//   - What is returned is shared and read-only; it may be read from any goroutine.
//   - A fault in a table, or a structure, field or enumerator name that does not
//     exist in a call such as [Offset], is our bug: panic with "BUG:".
//     Names that can come from a driver are looked up with a bool result instead.
package ddi
