// Package tidy keeps the layering and the style of the project. Nearly all of it
// is tests: they parse every Go file of the module and fail with a message that
// says what to do. clauses.go says which clauses of the specification have tests,
// also for docs/SUPPORT.md.
//
// Read imports_test.go first: its table says which package may import which.
// bans_test.go has what must not occur and why, order_test.go keeps map order
// out of the simulation, size_test.go the limits of length and the naming.
// Every check is also run on small wrong modules (checks_test.go), so that it
// cannot go silent.
//
// A check is a function from a [module] to complaints. A new check needs a row
// in the list of checks, a reason in its message, and a wrong module.
package tidy
