// Package bench has the project's benchmarks: what go test -bench runs in this
// package, and what dirql bench runs on a user's machine.
//
// Read all.go first: the list. kernels.go has those of the interpreter alone,
// machine.go those of the kernel below a driver, explore.go whole schedules.
// compare.sh compares the interpreter with Unicorn.
package bench
