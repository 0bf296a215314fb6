package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	drivers "github.com/dirql/dirql/drivers/litmus"
	"github.com/dirql/dirql/internal/litmus"
	"github.com/dirql/dirql/internal/pe"
	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

// litmusOptions are the flags of dirql litmus.
type litmusOptions struct {
	output   outputOptions
	list     bool
	source   bool
	unmerged bool
	binary   bool
	runs     int
}

func newLitmusCommand() *cobra.Command {
	var o litmusOptions
	cmd := &cobra.Command{
		Use:   "litmus [ID ...]",
		Short: "Run the litmus tests: small programs with the exact set of outcomes that Windows allows",
		Long: `A litmus test is a small program of ISRs, DPCs and threads with the exact set of
outcomes that the documented model allows. dirql litmus runs every schedule of
every test and compares; so it does with what its detectors report of the runs
(data races, lost work, lost events, lost wakeups). With an id it also prints the test and a timeline for
each outcome: L-01 answers "what if my ISR interrupts the DPC and queues it
again?". With --binary the programs of the tests are routines of KMDF drivers,
one for each group: a.sys to j.sys, made from drivers/litmus.`,
		Example: "  dirql litmus\n  dirql litmus --list\n  dirql litmus L-01\n  dirql litmus L-12 L-12/spinlock --verbose\n  dirql litmus --binary L-12",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			tests, err := chosenTests(ids)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			switch {
			case o.list:
				return listTests(w, tests)
			case o.output.format == "json":
				return testsAsJSON(w, tests, &o)
			case len(ids) == 0:
				return runTests(w, tests, &o)
			}
			return showTests(w, tests, &o)
		},
	}
	o.output.addTo(cmd)
	cmd.Flags().BoolVar(&o.list, "list", false, "list the tests and run none")
	cmd.Flags().BoolVar(&o.source, "source", true, "print the text of each test that is named")
	cmd.Flags().BoolVar(&o.binary, "binary", false, "run the tests as driver binaries")
	cmd.Flags().BoolVar(&o.unmerged, "unmerged", false, "run every schedule to its end, also from states that were met before: slow, and endless where a driver polls")
	cmd.Flags().IntVar(&o.runs, "runs", 0, "bound on the number of runs for each test; 0: none")
	return cmd
}

// chosenTests returns the tests with these ids, a number standing for itself
// only; no ids mean all tests.
func chosenTests(ids []string) ([]*litmus.Test, error) {
	all, err := litmus.Catalogue()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if len(ids) == 0 {
		return all, nil
	}
	var chosen []*litmus.Test
	for _, id := range ids {
		found := false
		for _, t := range all {
			if strings.EqualFold(t.ID, id) {
				chosen, found = append(chosen, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no litmus test %s; dirql litmus --list shows what there is", id)
		}
	}
	return chosen, nil
}

func listTests(w io.Writer, tests []*litmus.Test) error {
	for _, t := range tests {
		fmt.Fprintf(w, "%-28s %s\n", t.ID, t.Title)
	}
	return nil
}

// driver returns the driver that has the programs of a test, nil if the test
// has them itself.
func (o *litmusOptions) driver(t *litmus.Test) *pe.File {
	if o.binary {
		return drivers.Driver(t.Group())
	}
	return nil
}

func (o *litmusOptions) run(t *litmus.Test) (*litmus.Result, error) {
	return litmus.Run(t, litmus.Options{Runs: o.runs, Unmerged: o.unmerged, Driver: o.driver(t)})
}

// runTests runs the tests and prints a line for each.
func runTests(w io.Writer, tests []*litmus.Test, o *litmusOptions) error {
	wrong := 0
	fmt.Fprintf(w, "%-28s %9s %8s  %s\n", "test", "schedules", "outcomes", "verdict")
	for _, t := range tests {
		r, err := o.run(t)
		if err != nil {
			return err
		}
		verdict := "exactly the allowed outcomes" + reportsText("; reported: ", r.Reports)
		if err := r.Err(); err != nil {
			verdict = "WRONG: " + err.Error()
			wrong++
		}
		fmt.Fprintf(w, "%-28s %9d %8d  %s\n", t.ID, r.Runs, len(r.Observed), verdict)
	}
	fmt.Fprintf(w, "%d tests, %d wrong\n", len(tests), wrong)
	return verdictOf(wrong)
}

// verdictOf turns the number of tests that went wrong into an exit code.
func verdictOf(wrong int) error {
	if wrong > 0 {
		return exitCode(exitFindings)
	}
	return nil
}

// showTests prints tests with a timeline for each outcome.
func showTests(w io.Writer, tests []*litmus.Test, o *litmusOptions) error {
	wrong := 0
	for i, t := range tests {
		if i > 0 {
			fmt.Fprintln(w)
		}
		r, err := o.run(t)
		if err != nil {
			return err
		}
		if err := showTest(w, t, r, o); err != nil {
			return err
		}
		if r.Err() != nil {
			wrong++
		}
	}
	return verdictOf(wrong)
}

func showTest(w io.Writer, t *litmus.Test, r *litmus.Result, o *litmusOptions) error {
	fmt.Fprintf(w, "%s  %s\nclauses %s\n", t.ID, t.Title, strings.Join(t.Clauses, " "))
	if o.source && t.Text() != "" {
		fmt.Fprintf(w, "\n%s", t.Text())
	}
	if o.binary {
		fmt.Fprintf(w, "\nThe programs of this test are routines of %s.sys (drivers/litmus/%[1]s.c).\n", t.Group())
	}
	for i, seen := range r.Observed {
		log := &trace.Log{}
		if _, err := litmus.ReplayDriver(t, o.driver(t), seen.Choices, log); err != nil {
			panic("BUG: " + err.Error())
		}
		title := fmt.Sprintf("outcome %d of %d: %s  (%s%s)", i+1, len(r.Observed), seen.Outcome, verdict(&seen), reportsText(", reported: ", seen.Reports))
		fmt.Fprintln(w)
		if err := report.Timeline(w, log, report.Options{Title: title, Verbose: o.output.verbose}); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	return summary(w, r)
}

func verdict(o *litmus.Observed) string {
	switch {
	case len(o.Forbidden) > 0:
		return "FORBIDDEN: " + strings.Join(o.Forbidden, ", ")
	case !o.Allowed:
		return "NOT ALLOWED"
	}
	return "allowed"
}

// reportsText lists reports behind what is before them, "" without any.
func reportsText(before string, reports []litmus.Report) string {
	var texts []string
	for _, r := range reports {
		texts = append(texts, r.String())
	}
	if texts == nil {
		return ""
	}
	return before + strings.Join(texts, ", ")
}

// summary says what was run and how it compares with what is allowed.
func summary(w io.Writer, r *litmus.Result) error {
	for _, m := range r.Missing {
		fmt.Fprintf(w, "not reached, but allowed: %s\n", m)
	}
	if err := r.Err(); err != nil {
		_, err = fmt.Fprintf(w, "WRONG: %s\n", err)
		return err
	}
	states := ""
	if r.States > 0 {
		states = fmt.Sprintf(" (%d runs; schedules that meet in an equal state are continued once, %d states)", r.Runs, r.States)
	}
	text := fmt.Sprintf("Every schedule was run%s: exactly the allowed outcomes.\n", states)
	if len(r.Reports) > 0 {
		text += reportsText("Reported, as expected: ", r.Reports) + ".\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// litmusJSON is a test's result as JSON.
type litmusJSON struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Clauses  []string `json:"clauses"`
	Outcomes []string `json:"outcomes"`
	Missing  []string `json:"missing,omitempty"`
	Extra    []string `json:"extra,omitempty"`
	Reports  []string `json:"reports,omitempty"`
	Runs     int      `json:"runs"`
	States   int      `json:"states"`
	Complete bool     `json:"complete"`
	Right    bool     `json:"right"`
}

func testsAsJSON(w io.Writer, tests []*litmus.Test, o *litmusOptions) error {
	wrong := 0
	list := []litmusJSON{}
	for _, t := range tests {
		r, err := o.run(t)
		if err != nil {
			return err
		}
		j := litmusJSON{ID: t.ID, Title: t.Title, Clauses: t.Clauses, Runs: r.Runs, States: r.States, Complete: r.Complete, Right: r.Err() == nil}
		for _, s := range r.Observed {
			j.Outcomes = append(j.Outcomes, s.Outcome.String())
		}
		for _, m := range r.Missing {
			j.Missing = append(j.Missing, m.String())
		}
		for _, x := range r.Extra {
			j.Extra = append(j.Extra, x.String())
		}
		for _, x := range r.Reports {
			j.Reports = append(j.Reports, x.String())
		}
		if !j.Right {
			wrong++
		}
		list = append(list, j)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(list); err != nil {
		return err
	}
	return verdictOf(wrong)
}
