package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers"
)

// outputOptions are the flags of commands that print a run.
type outputOptions struct {
	verbose bool
	format  string
}

func (o *outputOptions) addTo(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show everything that was recorded")
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
}

func (o *outputOptions) check() error {
	if o.format != "text" && o.format != "json" {
		return fmt.Errorf("--format %s: there are text and json", o.format)
	}
	return nil
}

func newRunCommand() *cobra.Command {
	var options dirql.Options
	var output outputOptions
	var choose scenarioOptions
	var profile string
	cmd := &cobra.Command{
		Use:   "run NAME|FILE.sys",
		Short: "Run a driver once and show what its interrupt code does",
		Long: `Run loads a driver, starts its device, lets applications use it, removes the
device and unloads the driver, and prints the timeline of each processor: virtual
time, IRQL, which code ran on top of which, and calls with their results.

The same command prints the same bytes every time. With --seed the schedule is
random, but the same for the same seed.

Scenarios:
` + scenarioList(),
		Example: "  dirql run edu\n  dirql run edu --cpus 2 --seed 7 --verbose",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			s, err := choose.scenario(args[0])
			if err != nil {
				return err
			}
			for _, w := range s.Driver.SymbolWarnings() {
				fmt.Fprintf(cmd.ErrOrStderr(), "dirql: warning: %s\n", w)
			}
			if options.Profile, err = dirql.ParseProfile(profile); err != nil {
				return fmt.Errorf("--profile: %w", err)
			}
			report, err := s.Run(options)
			if err != nil {
				return err
			}
			if err := printReport(cmd.OutOrStdout(), report, &output); err != nil {
				return err
			}
			return exitOf(report)
		},
	}
	cmd.Flags().IntVar(&options.Processors, "cpus", 0, "number of processors, 1 to 64 (default: what the scenario says)")
	cmd.Flags().Uint64Var(&options.Seed, "seed", 0, "choose at random with this seed; 0: no choices, devices act in time")
	addProfile(cmd, &profile)
	choose.addTo(cmd)
	output.addTo(cmd)
	return cmd
}

func addProfile(cmd *cobra.Command, profile *string) {
	cmd.Flags().StringVar(profile, "profile", "", "what differs from a system with both verifiers on, with commas between: "+dirql.ProfileNames())
}

// scenarioFor returns the name of the scenario for a driver file: that of its
// folder if there is such a scenario, else that of the driver.
func scenarioFor(file, driver string) string {
	if path, err := filepath.Abs(file); err == nil {
		if folder := filepath.Base(filepath.Dir(path)); drivers.Find(folder) != nil {
			return folder
		}
	}
	return driver
}

func scenarioList() string {
	var b strings.Builder
	for _, s := range drivers.Scenarios() {
		fmt.Fprintf(&b, "  %-22s %s\n", s.Name, s.Title)
	}
	return b.String()
}

func scenarioNames() string {
	var names []string
	for _, s := range drivers.Scenarios() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

func printReport(w io.Writer, r *dirql.Report, o *outputOptions) error {
	if o.format == "json" {
		return r.WriteJSON(w)
	}
	return r.WriteText(w, o.verbose)
}

// exitOf turns what a run found into an exit code.
func exitOf(r *dirql.Report) error {
	code := exitClean
	for _, f := range r.Findings {
		if f.Unsupported {
			return exitCode(exitUnsupported)
		}
		if !f.Minor {
			code = exitFindings
		}
	}
	if code == exitClean {
		return nil
	}
	return exitCode(code)
}
