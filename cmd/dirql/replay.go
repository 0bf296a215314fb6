package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers"
)

func newReplayCommand() *cobra.Command {
	var output outputOptions
	var driver string
	var stopAt float64
	cmd := &cobra.Command{
		Use:   "replay FILE.dirql",
		Short: "Repeat exactly a run that explore has found",
		Long: `Replay runs the scenario of a replay file once, with the decisions that the file
has, and prints the timeline. The run is the same each time, on every operating
system; if it is not, because the driver or the scenario has changed, replay says
so.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			p, err := readReplay(args[0])
			if err != nil {
				return err
			}
			s, err := scenarioOf(p, args[0], driver)
			if err != nil {
				return err
			}
			report, err := s.Again(p)
			if report != nil {
				if stopAt > 0 {
					report = report.Until(uint64(stopAt * 1000))
				}
				if err := printReport(cmd.OutOrStdout(), report, &output); err != nil {
					return err
				}
			}
			var diverged *dirql.DivergedError
			if errors.As(err, &diverged) {
				return fmt.Errorf("%s: %w; look for the finding anew with dirql explore", args[0], err)
			}
			if err != nil {
				return err
			}
			return exitOf(report)
		},
	}
	cmd.Flags().StringVar(&driver, "driver", "", "the driver's file, if it is not where it was")
	cmd.Flags().Float64Var(&stopAt, "stop-at", 0, "show the run up to this time only, in microseconds as in the first column")
	output.addTo(cmd)
	return cmd
}

func readReplay(path string) (*dirql.Replay, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := dirql.ReadReplay(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// scenarioOf returns the scenario of a replay file, with its driver.
func scenarioOf(p *dirql.Replay, path, driver string) (*dirql.Scenario, error) {
	s := drivers.Find(p.Scenario)
	unknown := p.Scenario == unknownName && p.Hardware != nil && p.Hash != "go"
	if s == nil && !unknown {
		return nil, fmt.Errorf("%s is of the scenario %q, which this version does not have", path, p.Scenario)
	}
	if unknown || driver != "" || !p.Of(&s.Driver) { // the .sys files that come with dirql need not be read
		if driver == "" {
			driver = p.Driver
		}
		d, err := dirql.LoadDriver(driver)
		if err != nil {
			return nil, fmt.Errorf("%w (say with --driver where the driver is)", err)
		}
		if unknown {
			return dirql.UnknownScenario(d, *p.Hardware), nil
		}
		s.Driver = d
	}
	if p.Hardware != nil {
		s.OnUnknownHardware(*p.Hardware)
	}
	return s, nil
}
