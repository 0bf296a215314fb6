// Command difftest compares the interpreter with the host's processor on random
// cases of every unprivileged instruction.
//
//	go run ./internal/x86/difftest -cases 100000000
//
// It prints the number of cases and the mismatches, and fails if there are any.
// One case in 30 raises an exception, which has to be the same, with error code and
// address, and leave the same state. For each 50 cases there is one of bytes that
// are no instruction: undefined, or longer than 15 bytes.
//
// With -record it writes the vectors that hosts without native execution are
// tested with. Its own tests are the differential tests of internal/x86.
//
// Read encode.go first (random encodings of a row of the table), then
// operands.go (registers and memory), undefined.go (no instruction), compare.go (the two
// executions) and vectors.go (hashes of results, for hosts that cannot execute
// the instructions). A case depends on its row and a seed only, on every host.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/dirql/dirql/internal/x86/hostcpu"
)

func main() {
	cases := flag.Int("cases", 1_000_000, "number of cases")
	seed := flag.Uint64("seed", 1, "first seed")
	only := flag.String("only", "", "test this mnemonic only")
	record := flag.String("record", "", "write recorded vectors to this file")
	flag.Parse()
	if err := run(*cases, *seed, *only, *record); err != nil {
		fmt.Fprintln(os.Stderr, "difftest:", err)
		os.Exit(1)
	}
}

func run(cases int, seed uint64, only, record string) error {
	host, err := hostcpu.New()
	if err != nil {
		return err
	}
	defer host.Close()
	t := newTester(host)
	if record != "" {
		text, err := t.record()
		if err != nil {
			return err
		}
		return os.WriteFile(record, text, 0o666)
	}
	t.random(cases, seed, only)
	if only == "" {
		t.undefined(cases/50, seed)
	}
	for _, r := range t.Reports {
		fmt.Println(r)
	}
	fmt.Printf("%d cases, %d of them exceptions, %d of no instruction, %d mismatches, %d skipped (operands that cannot be)\n",
		t.Cases+t.Undefined, t.Exceptions, t.Undefined, t.Mismatches, t.Skipped)
	if t.Mismatches > 0 {
		return fmt.Errorf("%d mismatches", t.Mismatches)
	}
	return nil
}
