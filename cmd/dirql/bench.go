package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql/internal/bench"
)

func newBenchCommand() *cobra.Command {
	var time string
	var short bool
	cmd := &cobra.Command{
		Use:   "bench [NAME ...]",
		Short: "Measure how fast dirql is on this machine",
		Long: `Bench runs dirql's own benchmarks and prints a table: the interpreter of driver
code with and without a log of the accesses to shared memory (_log), one stop at
an instruction, restoring a snapshot of memory, calls of the kernel and the
framework, interrupts with their ISR and DPC, and whole schedules as
dirql explore runs them, race detector included.

A NAME is a part of the name of a benchmark: x86, or schedule/edu.
docs/PERFORMANCE.md says where the time goes.`,
		Example: "  dirql bench\n  dirql bench schedule --time 5s",
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := chooseBenchmarks(args)
			if err != nil {
				return err
			}
			if short {
				time = "1x"
			}
			return runBenchmarks(cmd.OutOrStdout(), list, time)
		},
	}
	f := cmd.Flags()
	f.StringVar(&time, "time", "1s", "how long each benchmark runs (500ms), or how often (100x)")
	f.BoolVar(&short, "short", false, "run each benchmark once: shows that it works, measures nothing")
	return cmd
}

// chooseBenchmarks returns the benchmarks that the command line names, all
// without a name.
func chooseBenchmarks(names []string) (list []bench.Benchmark, err error) {
	all := bench.All()
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c bench.Benchmark) bool { return strings.Contains(c.Name, name) }) {
			return nil, fmt.Errorf("no benchmark has %q in its name; dirql bench --short lists all", name)
		}
	}
	for _, c := range all {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(c.Name, name) }) {
			list = append(list, c)
		}
	}
	return list, nil
}

// runBenchmarks prints the table, each row as soon as it is measured.
func runBenchmarks(w io.Writer, list []bench.Benchmark, time string) error {
	fmt.Fprintf(w, "%s %s/%s, %d logical processors; one is used\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(w, "%-45s %15s %20s\n", "benchmark", "time each", "")
	for i := range list {
		c := &list[i]
		r, err := c.Measure(time)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%-45s %15s %20s\n", c.Name, nanoseconds(&r, max(c.Each, 1)), rate(&r, max(c.Each, 1))); err != nil {
			return err
		}
	}
	return nil
}

// nanoseconds is the time of one of the things that an operation does, in a unit
// that people read.
func nanoseconds(r *testing.BenchmarkResult, each int) string {
	ns := float64(r.T.Nanoseconds()) / float64(r.N*each)
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.1f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.2f us", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/1e6)
}

// rate is what a benchmark counts, else operations a second.
func rate(r *testing.BenchmarkResult, each int) string {
	if mips, ok := r.Extra["MIPS"]; ok {
		return fmt.Sprintf("%.0f MIPS", mips)
	}
	return fmt.Sprintf("%.0f a second", float64(r.N*each)/r.T.Seconds())
}
