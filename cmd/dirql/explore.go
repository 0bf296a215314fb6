package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
)

func newExploreCommand() *cobra.Command {
	var o dirql.ExploreOptions
	var scenario, budget, dir, strategy, faults, profile string
	cmd := &cobra.Command{
		Use:   "explore NAME|FILE.sys",
		Short: "Run a driver under many schedules and show each way in which it breaks",
		Long: `Explore starts the driver's device once and then runs what the scenario does
with it again and again, each time with other decisions: which processor goes
on, when an interrupt comes and where. Each finding is reduced to few deviations
from the undisturbed run, printed as a timeline, and written to a replay file as
soon as it is found.

The same seed and number of runs give the same findings. A search that finds
nothing has not shown that there is nothing: the last lines say what it covered.`,
		Example: "  dirql explore edu-busy --cpus 2\n  dirql explore driver.sys --scenario edu --budget 5000 --seed 7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			runs, limit, err := readBudget(budget)
			if err != nil {
				return err
			}
			s, err := chooseScenario(args[0], scenario)
			if err != nil {
				return err
			}
			o.Runs = runs
			if o.Strategy, err = strategyOf(strategy); err != nil {
				return err
			}
			if o.Faults, err = dirql.ParseFaults(faults); err != nil {
				return fmt.Errorf("--fault: %w", err)
			}
			if o.Profile, err = dirql.ParseProfile(profile); err != nil {
				return fmt.Errorf("--profile: %w", err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			if limit > 0 {
				ctx, stop = context.WithTimeout(ctx, limit)
				defer stop()
				began := time.Now()
				o.Spent = func() float64 { return float64(time.Since(began)) / float64(limit) }
			}
			return explore(ctx, cmd.OutOrStdout(), s, o, dir)
		},
	}
	f := cmd.Flags()
	f.StringVar(&budget, "budget", "10s", "when to stop: a time (30s, 5m) or a number of runs")
	f.IntVar(&o.Processors, "cpus", 0, "number of processors, 1 to 64 (default: what the scenario says)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the random decisions")
	f.StringVar(&strategy, "strategy", "auto", "auto, random, bounded or exhaustive")
	f.IntVar(&o.Preemptions, "preemptions", 1, "with --strategy bounded: how often a processor that could go on may have to wait")
	f.IntVar(&o.Interrupts, "interrupts", 1, "with --strategy bounded: how many events may come at any time")
	f.StringVar(&faults, "fault", "", "what can go wrong around the driver: alloc, cancel, remove, with commas between them")
	addProfile(cmd, &profile)
	f.IntVar(&o.Workers, "workers", 1, "machines that run at the same time")
	f.StringVar(&scenario, "scenario", "", "for a .sys file: the scenario to run it in (default: the one of the same name)")
	f.StringVarP(&dir, "out", "o", ".", "directory for the replay files")
	return cmd
}

func strategyOf(s string) (dirql.Strategy, error) {
	for i, name := range []string{"auto", "random", "bounded", "exhaustive"} {
		if s == name {
			return dirql.Strategy(i), nil
		}
	}
	return 0, fmt.Errorf("--strategy %s: there are auto, random, bounded and exhaustive", s)
}

// readBudget reads a budget: a number of runs, or a time.
func readBudget(s string) (runs int, limit time.Duration, err error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return n, 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, 0, fmt.Errorf("--budget %s: give a time like 30s or 5m, or a number of runs", s)
	}
	return 0, d, nil
}

func explore(ctx context.Context, w io.Writer, s *dirql.Scenario, o dirql.ExploreOptions, dir string) error {
	n := 0
	var failed error
	o.New = func(d *dirql.Discovery) {
		n++
		if err := showDiscovery(w, d, n, dir); err != nil && failed == nil {
			failed = err
		}
	}
	began := time.Now()
	rep, err := s.Explore(ctx, o)
	if err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return coverage(w, rep, time.Since(began))
}

// showDiscovery prints a finding and writes its replay file.
func showDiscovery(w io.Writer, d *dirql.Discovery, n int, dir string) error {
	path := filepath.Join(dir, fmt.Sprintf("%s-%d.dirql", fileName(d.Report.Scenario), n))
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("the replay file of a finding cannot be written: %w", err)
	}
	if _, err := d.Replay.WriteTo(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.Report.Until(d.Finding.Time).WriteText(w, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nFound in run %d (%s); reduced from %d to %d deviations from the default schedule: %s.\nAgain: dirql replay %s\n\n",
		d.Run+1, d.Strategy, d.Before, d.Replay.Deviations(), needs(d), path)
	return err
}

// needs says what it takes to see the finding.
func needs(d *dirql.Discovery) string {
	s := fmt.Sprintf("%d preemptions, %d interrupts", d.Preemptions, d.Interrupts)
	if d.Minimum && d.Preemptions > 0 {
		s += "; no schedule with fewer preemptions shows it"
	}
	return s
}

// fileName turns a name into one that every file system takes.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

// covered says honestly what the runs show.
func covered(r *dirql.ExploreReport) string {
	if r.Covered == "" {
		return "Not every schedule was run: what was not found may be there all the same."
	}
	s := "Covered: " + r.Covered + " of this scenario, with this device and this number of processors."
	if r.Covered != "every schedule" {
		s += " Beyond that, what was not found may be there all the same."
	}
	return s
}

func coverage(w io.Writer, r *dirql.ExploreReport, took time.Duration) error {
	fmt.Fprintf(w, "%d runs in %.1f s (%.0f a second), %.0f decisions each.\n", r.Runs, took.Seconds(), float64(r.Runs)/took.Seconds(),
		float64(r.Decisions)/float64(max(r.Runs, 1)))
	fmt.Fprintf(w, "%d memory cells are used by more than one activation; %d different pairs of accesses to them were seen.\n", r.Visible, r.Pairs)
	if r.Faulty > 0 {
		fmt.Fprintf(w, "Something went wrong around the driver in %d of the runs, as --fault allows.\n", r.Faulty)
	}
	if r.Bounded > 0 {
		fmt.Fprintf(w, "%d runs reached a bound of the machine.\n", r.Bounded)
	}
	fmt.Fprintln(w, covered(r))
	if len(r.Discoveries) == 0 {
		fmt.Fprintln(w, "No findings.")
		return nil
	}
	code := exitFindings
	fmt.Fprintf(w, "%d different findings:\n", len(r.Discoveries))
	for i, d := range r.Discoveries {
		fmt.Fprintf(w, "  %d. %s (in %d runs, first in run %d)\n", i+1, d.Finding.Title, d.Count, d.Run+1)
		if d.Finding.Unsupported {
			code = exitUnsupported
		}
	}
	return exitCode(code)
}
