package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/patterns"
)

// patternOptions say how much is run.
type patternOptions struct {
	seeds, runs, quiet int
	strategy           string
	explore            dirql.ExploreOptions
}

func newPatternsCommand() *cobra.Command {
	var o patternOptions
	cmd := &cobra.Command{
		Use:   "patterns [NAME ...]",
		Short: "Measure how soon explore finds the mistakes of real drivers",
		Long: `Patterns explores the drivers of drivers/patterns: mistakes that were made in
real drivers, each as a small driver, once with the mistake and once without.
The table says for how many seeds the mistake shows, after how many executions
and seconds (its reduction included), how many deviations from the default
schedule are left then and how many preemptions are among them, and what is found
in the repaired driver: that must be nothing.

A NAME is a part of the name of a pattern: p04, or owners.`,
		Example: "  dirql patterns\n  dirql patterns p03 --seeds 100",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.seeds < 1 || o.runs < 1 || o.quiet < 0 {
				return fmt.Errorf("--seeds and --runs must be at least 1, --fixed-runs at least 0")
			}
			if o.explore.Strategy, err = strategyOf(o.strategy); err != nil {
				return err
			}
			list, err := choosePatterns(args)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return measure(ctx, cmd.OutOrStdout(), list, &o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.seeds, "seeds", 20, "explorations of each broken driver")
	f.IntVar(&o.runs, "runs", 10_000, "executions after which one is given up")
	f.IntVar(&o.quiet, "fixed-runs", 1000, "executions of each repaired driver")
	f.IntVar(&o.explore.Processors, "cpus", 0, "number of processors, 1 to 64 (default: what the scenario says)")
	f.StringVar(&o.strategy, "strategy", "random", "auto, random, bounded, exhaustive or dpor")
	f.IntVar(&o.explore.Preemptions, "preemptions", 1, "with --strategy bounded: how often a processor that could go on may have to wait")
	f.IntVar(&o.explore.Interrupts, "interrupts", 1, "with --strategy bounded: how many events may come at any time")
	return cmd
}

// choosePatterns returns the patterns that the command line names, all without
// a name.
func choosePatterns(names []string) ([]*patterns.Pattern, error) {
	all := patterns.All()
	if len(names) == 0 {
		return all, nil
	}
	var list []*patterns.Pattern
	for _, name := range names {
		n := len(list)
		for _, p := range all {
			if strings.Contains(p.Name, name) && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		if len(list) == n {
			return nil, fmt.Errorf("no pattern has %q in its name, or another argument names it already; dirql patterns lists all", name)
		}
	}
	return list, nil
}

// measure prints the table.
func measure(ctx context.Context, w io.Writer, list []*patterns.Pattern, o *patternOptions) error {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "pattern\tfound\texecutions: median\tworst\tseconds: median\tworst\tdeviations\tpreemptions\tfindings when repaired\t")
	bad := false
	for _, p := range list {
		row, ok, err := measureOne(ctx, p, o)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
		bad = bad || !ok
		fmt.Fprintln(tab, row)
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted; the table is not complete")
	}
	if bad {
		return exitCode(exitFindings)
	}
	return nil
}

// measureOne returns the row of a pattern, and whether every seed found the
// mistake and nothing was found in the repaired driver.
func measureOne(ctx context.Context, p *patterns.Pattern, o *patternOptions) (row string, ok bool, err error) {
	var runs, times, deviations, preemptions []int
	found := 0
	x := o.explore
	for seed := range o.seeds {
		x.Seed, x.Runs = uint64(seed), o.runs
		began := time.Now()
		h, err := p.Hunt(ctx, x)
		if err != nil {
			return "", false, err
		}
		runs = append(runs, h.Runs)
		if h.Runs > 0 {
			found++
			times = append(times, int(time.Since(began)))
			deviations = append(deviations, h.Deviations)
			preemptions = append(preemptions, h.Preemptions)
		}
	}
	x.Runs = o.quiet
	var titles []string
	if o.quiet > 0 {
		if titles, err = p.Quiet(ctx, x); err != nil {
			return "", false, err
		}
	}
	row = fmt.Sprintf("%s\t%d of %d\t", p.Name, found, o.seeds)
	if found == 0 {
		row += "-\t-\t-\t-\t-\t-\t"
	} else {
		row += fmt.Sprintf("%s\t%s\t%.3f\t%.3f\t%d\t%d\t", executions(patterns.Median(runs)), executions(patterns.Worst(runs)),
			time.Duration(patterns.Median(times)).Seconds(), time.Duration(patterns.Worst(times)).Seconds(),
			middle(deviations), middle(preemptions))
	}
	row += fmt.Sprint(len(titles))
	if len(titles) > 0 {
		row += ": " + strings.Join(titles, "; ")
	}
	return row + "\t", found == o.seeds && len(titles) == 0, nil
}

// middle returns the middle value, of an even number of them the lower one.
func middle(values []int) int {
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// executions writes a number of executions.
func executions(n int) string {
	if n == 0 {
		return "never"
	}
	return fmt.Sprint(n)
}
