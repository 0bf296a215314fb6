package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
)

func newExploreCommand() *cobra.Command {
	var o dirql.ExploreOptions
	var choose scenarioOptions
	var out exploreOutput
	var budget, strategy, faults, suppress, keep, profile string
	var resume bool
	cmd := &cobra.Command{
		Use:   "explore NAME|FILE.sys",
		Short: "Run a driver under many schedules and show each way in which it breaks",
		Long: `Explore starts the driver's device once and then runs what the scenario does
with it again and again, each time with other decisions: which processor goes
on, when an interrupt comes and where. Each finding is reduced to few deviations
from the undisturbed run, printed as a timeline, and written to a replay file as
soon as it is found.

A .sys file for which there is no scenario runs on unknown hardware: what its
registers read and when it interrupts are decisions like the others.

A mistake is one finding, in however many routines it is noticed; the list at the
end names them. "Minor" are accesses to memory without order on one processor,
where each is a single instruction; they do not count for the exit code.

The same seed and number of runs give the same findings. A search that finds
nothing has not shown that there is nothing: the last lines say what it covered.
Ctrl-C ends it with the full report.

With --keep DIR the schedules that showed something new stay in a directory, and
the next exploration runs them first; --resume goes on where the last one ended
or was killed. --suppress FILE has a line for each finding that is known to be
harmless: IDENTITY -- REASON, where * in the identity stands for anything.`,
		Example: "  dirql explore edu-busy --cpus 2\n  dirql explore driver.sys --budget 5m --keep corpus --junit report.xml\n" +
			"  dirql explore driver.sys --scenario edu --budget 5000 --seed 7",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			runs, limit, err := readBudget(budget)
			if err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			s, err := choose.scenario(args[0])
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
			if o.Suppress, err = readSuppressions(suppress); err != nil {
				return fmt.Errorf("--suppress: %w", err)
			}
			if o.Corpus, err = openCorpus(keep, resume); err != nil {
				return fmt.Errorf("--keep: %w", err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			if limit > 0 {
				ctx, stop = context.WithTimeout(ctx, limit)
				defer stop()
				began := time.Now()
				o.Spent = func() float64 { return float64(time.Since(began)) / float64(limit) }
			}
			out.w, out.scenario, out.limit, out.suppress = cmd.OutOrStdout(), s, limit, o.Suppress
			out.progress = newProgress(cmd.ErrOrStderr(), runs, limit)
			return out.explore(ctx, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&budget, "budget", "10s", "when to stop: a time (30s, 5m) or a number of runs")
	f.IntVar(&o.Processors, "cpus", 0, "number of processors, 1 to 64 (default: what the scenario says)")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the random decisions")
	f.StringVar(&strategy, "strategy", "auto", "auto, random, bounded, exhaustive or dpor (exhaustive with partial-order reduction)")
	f.IntVar(&o.Preemptions, "preemptions", 1, "with --strategy bounded: how often a processor that could go on may have to wait")
	f.IntVar(&o.Interrupts, "interrupts", 1, "with --strategy bounded: how many events may come at any time")
	f.StringVar(&faults, "fault", "", "what can go wrong around the driver: alloc, cancel, remove, timers, with commas between them")
	addProfile(cmd, &profile)
	f.IntVar(&o.Workers, "workers", 1, "machines that run at the same time")
	f.StringVar(&suppress, "suppress", "", "file with findings that are known to be harmless, and why")
	f.StringVar(&keep, "keep", "", "directory for what later explorations can use")
	f.BoolVar(&resume, "resume", false, "continue the exploration in the directory of --keep")
	choose.addTo(cmd)
	out.addTo(cmd)
	return cmd
}

func readSuppressions(path string) ([]dirql.Suppression, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := dirql.ReadSuppressions(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

func openCorpus(dir string, resume bool) (*dirql.Corpus, error) {
	if dir == "" {
		if resume {
			return nil, fmt.Errorf("say which directory to resume from")
		}
		return nil, nil
	}
	c, err := dirql.OpenCorpus(dir)
	if err == nil {
		c.Resume = resume
	}
	return c, err
}

func strategyOf(s string) (dirql.Strategy, error) {
	for i, name := range []string{"auto", "random", "bounded", "exhaustive", "dpor"} {
		if s == name {
			return dirql.Strategy(i), nil
		}
	}
	return 0, fmt.Errorf("--strategy %s: there are auto, random, bounded, exhaustive and dpor", s)
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

// exploreOutput is where the results of an exploration go.
type exploreOutput struct {
	dir, format, junit, sarif string

	w        io.Writer
	scenario *dirql.Scenario
	limit    time.Duration
	suppress []dirql.Suppression
	progress *progress
	paths    map[string]string // of replay files, by identity of the finding
	failed   error
}

func (out *exploreOutput) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&out.dir, "out", "o", ".", "directory for the replay files")
	f.StringVar(&out.format, "format", "text", "text or json")
	f.StringVar(&out.junit, "junit", "", "write the findings to this file in the form of JUnit")
	f.StringVar(&out.sarif, "sarif", "", "write the findings to this file in the form of SARIF 2.1.0")
}

func (out *exploreOutput) check() error {
	return (&outputOptions{format: out.format}).check()
}

func (out *exploreOutput) explore(ctx context.Context, o dirql.ExploreOptions) error {
	out.paths = map[string]string{}
	o.New = func(d *dirql.Discovery) {
		if err := out.show(d); err != nil && out.failed == nil {
			out.failed = err
		}
	}
	o.Progress = out.progress.show
	began := time.Now()
	rep, err := out.scenario.Explore(ctx, o)
	out.progress.clear()
	if rep == nil {
		return err
	}
	if err := errors.Join(err, out.failed, out.files(rep)); err != nil {
		return err
	}
	if out.format == "json" {
		if err := out.json(out.w, rep); err != nil {
			return err
		}
		return exitOfExploration(rep)
	}
	out.coverage(rep, time.Since(began))
	return exitOfExploration(rep)
}

// files writes the files that are asked for.
func (out *exploreOutput) files(rep *dirql.ExploreReport) error {
	for _, f := range []struct {
		path  string
		write func(io.Writer, *dirql.ExploreReport) error
	}{{out.junit, out.writeJUnit}, {out.sarif, out.writeSARIF}} {
		if f.path == "" {
			continue
		}
		file, err := os.Create(f.path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.write(file, rep), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

// show prints a finding and writes its replay file.
func (out *exploreOutput) show(d *dirql.Discovery) error {
	path := filepath.Join(out.dir, fmt.Sprintf("%s-%d.dirql", fileName(d.Report.Scenario), len(out.paths)+1))
	out.paths[d.Identity] = path
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
	if out.format != "text" {
		return nil
	}
	out.progress.clear()
	if err := d.Report.Until(d.Finding.Time).WriteText(out.w, false); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.w, "\nFound in run %d (%s); reduced from %d to %d deviations from the default schedule: %s.\nIdentity: %s\nAgain: dirql replay %s\n\n",
		d.Run+1, d.Strategy, d.Before, d.Replay.Deviations(), needs(d), d.Identity, path)
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

// coverage prints what was run and what was found.
func (out *exploreOutput) coverage(r *dirql.ExploreReport, took time.Duration) {
	w := out.w
	fmt.Fprintf(w, "%d runs in %.1f s (%.0f a second), %.0f decisions each.\n", r.Runs, took.Seconds(), float64(r.Runs)/took.Seconds(),
		float64(r.Decisions)/float64(max(r.Runs, 1)))
	if r.Earlier > 0 {
		fmt.Fprintf(w, "They continue an exploration of %d runs.\n", r.Earlier)
	}
	fmt.Fprintf(w, "%d memory cells are used by more than one activation; %d different pairs of accesses to them were seen.\n", r.Visible, r.Pairs)
	if r.Faulty > 0 {
		fmt.Fprintf(w, "Something went wrong around the driver in %d of the runs, as --fault allows.\n", r.Faulty)
	}
	if r.Refused > 0 {
		fmt.Fprintf(w, "In %d runs the driver did not want the device: unknown hardware can answer so that nothing works.\n", r.Refused)
	}
	if r.Bounded > 0 {
		fmt.Fprintf(w, "%d runs reached a bound of the machine.\n", r.Bounded)
	}
	fmt.Fprintln(w, covered(r))
	n := 0
	for _, d := range r.Discoveries {
		if d.Suppressed == "" && !d.Finding.Minor {
			n++
		}
	}
	if n == 0 {
		fmt.Fprintln(w, "No findings.")
	} else {
		fmt.Fprintf(w, "%d different findings:\n", n)
	}
	for i, d := range r.Discoveries {
		if d.Suppressed != "" {
			fmt.Fprintf(w, "  suppressed: %s (in %d runs; %s): %s\n", d.Finding.Title, d.Count, d.Identity, d.Suppressed)
			continue
		}
		if d.Finding.Minor {
			fmt.Fprintf(w, "  minor: %s (%s): each is one instruction, on one processor\n", headline(d), seen(d))
			continue
		}
		fmt.Fprintf(w, "  %d. %s (%s)\n", i+1, headline(d), seen(d))
		for _, v := range d.Variants {
			fmt.Fprintf(w, "     also seen as: %s (in %d runs)\n", v.Text, v.Runs)
		}
	}
	for _, s := range out.suppress {
		if !slices.ContainsFunc(r.Discoveries, func(d *dirql.Discovery) bool { return s.Matches(d.Identity) }) {
			fmt.Fprintf(w, "  not seen, though suppressed: %s\n", s.Pattern)
		}
	}
}

// headline is the title of a finding, with the rule that it breaks or with what
// does not end.
func headline(d *dirql.Discovery) string {
	f := &d.Finding
	if what, ok := strings.CutPrefix(d.Identity, "hang|"); ok {
		return "hang: " + what
	}
	if f.Code == 0 || f.Rule == "" {
		return f.Title
	}
	return f.Title + ": " + f.Rule
}

// seen says in which runs a finding was seen.
func seen(d *dirql.Discovery) string {
	if d.Strategy == dirql.KnownFromBefore {
		return dirql.KnownFromBefore
	}
	return fmt.Sprintf("in %d runs, first in run %d", d.Count, d.Run+1)
}

// exitOfExploration turns what was found into an exit code.
func exitOfExploration(r *dirql.ExploreReport) error {
	code := exitClean
	for _, d := range r.Discoveries {
		switch {
		case d.Suppressed != "", d.Finding.Minor:
		case d.Finding.Unsupported:
			return exitCode(exitUnsupported)
		default:
			code = exitFindings
		}
	}
	if code == exitClean {
		return nil
	}
	return exitCode(code)
}
