// Command dirql runs Windows drivers that use interrupts, without Windows and
// without hardware. See the README, or dirql --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes: what a script or CI can tell from a run.
const (
	exitClean       = 0
	exitFindings    = 1 // the driver did something wrong
	exitUsage       = 2 // a mistake in the command line or an input file
	exitUnsupported = 3 // the driver needs something that dirql does not implement yet
	exitBug         = 4 // a mistake of dirql's own
)

// exitCode is an error that only says how to end; everything has been printed.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // schedules leave much garbage and little else
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out a command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "dirql: a mistake in dirql itself, not in your driver: %v\n\n%s\nPlease report it with the command line.\n", r, debug.Stack())
			code = exitBug
		}
	}()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	var exit exitCode
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintf(stderr, "dirql: %s\n", err)
	if hint := usageHint(err); hint != "" {
		fmt.Fprintln(stderr, hint)
	}
	return exitUsage
}

func usageHint(err error) string {
	if strings.HasPrefix(err.Error(), "unknown ") || strings.Contains(err.Error(), "flag") || strings.Contains(err.Error(), "arg(s)") {
		return "Run dirql --help, or dirql COMMAND --help, for what there is."
	}
	return ""
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "dirql",
		Short: "Runs the interrupt path of Windows drivers: ISRs, DPCs, KMDF, without Windows",
		Long: `dirql runs the interrupt path of Windows drivers without Windows and without
hardware: processors with an IRQL, ISRs at DIRQL, DPCs, the Kernel-Mode Driver
Framework (KMDF), simulated PCI devices. It shows what the interrupt code does
as a timeline per processor, and finds every way in which small scenarios can
end. dirql explain says what a bug check or a rule in a finding means.

Exit codes: 0 clean, 1 findings, 2 a mistake in the command line or the input,
3 something that dirql does not support yet, 4 a mistake of dirql itself.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(newRunCommand(), newExploreCommand(), newReplayCommand(), newInspectCommand(), newLitmusCommand(), newPatternsCommand(), newBenchCommand(), newExplainCommand(), newVersionCommand())
	return root
}
