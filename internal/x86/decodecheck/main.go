// Command decodecheck compares the decoder of internal/x86 with other
// disassemblers, on the code of programs, libraries and drivers (ELF and PE):
//
//	go run ./internal/x86/decodecheck /usr/lib/x86_64-linux-gnu/*.so.*
//	go run ./internal/x86/decodecheck driver.sys
//
// For each instruction that GNU objdump and golang.org/x/arch see, the length and
// the mnemonic have to be equal, and what they call bad must not be executed. It
// prints what differs, and how often each instruction occurs that the interpreter
// knows no more of than that it is not executed; it fails if anything differs.
//
// Read reference.go first (what the other disassemblers say), then compare.go.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
)

func main() {
	objdump := flag.String("objdump", "objdump", "the objdump to compare with; empty: golang.org/x/arch only")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: decodecheck [flags] file...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*objdump, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "decodecheck:", err)
		os.Exit(1)
	}
}

func run(objdump string, files []string) error {
	references := []reference{arch{}}
	if objdump != "" {
		references = append(references, gnu{objdump, []string{"-d"}})
	}
	all := map[string]int{}
	different := 0
	for _, ref := range references {
		c := newComparison(ref)
		for _, name := range files {
			if err := c.file(name); err != nil {
				fmt.Printf("%s: %v\n", name, err)
			}
		}
		for _, r := range c.reports {
			fmt.Println(r)
		}
		fmt.Printf("%s: %d files, %d instructions, %d of them equal, %d not executed, %d different\n",
			ref.name(), c.files, c.equal+c.unsupported()+c.different, c.equal, c.unsupported(), c.different)
		different += c.different
		for name, n := range c.missing {
			all[name] = max(all[name], n)
		}
	}
	printMissing(all)
	if different > 0 {
		return fmt.Errorf("%d instructions differ", different)
	}
	return nil
}

// printMissing prints the instructions that are not executed, the most frequent
// first.
func printMissing(missing map[string]int) {
	var names []string
	for name := range missing {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := missing[b] - missing[a]; d != 0 {
			return d
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	for _, name := range names {
		fmt.Printf("%8d %s\n", missing[name], name)
	}
}
