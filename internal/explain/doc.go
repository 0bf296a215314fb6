// Package explain has the texts of dirql explain: short answers about the
// interrupt path, the bug checks and the rules that findings name.
//
// The texts are in topics/*.md. A line "# name | other name" begins a topic; the
// next line says in a few words what it is about; the rest is printed as it is.
// A name such as 0xC4/0x120-0x122 makes a topic the text for cases of a bug
// check: what its parameters mean stands before it, from the table of
// internal/ddi. Clauses in the texts are those of docs/spec; indented lines that
// begin with "dirql " are commands that work in a checkout of the project. Tests
// check both.
package explain
