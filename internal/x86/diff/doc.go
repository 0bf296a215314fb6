// Package diff makes test cases from the table of instructions and compares the
// interpreter with the host's processor, or with what one left (recorded
// vectors). It is for tests and tools only.
//
// Read encode.go first (random encodings of a row), then operands.go (registers
// and memory that do not fault), compare.go (the two executions) and vectors.go
// (hashes of results, for hosts that cannot execute the instructions).
//
// A case depends on its row and a seed only, on every host.
package diff
