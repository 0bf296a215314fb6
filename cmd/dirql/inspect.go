package main

import (
	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
)

func newInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE.sys",
		Short: "Show what a driver file is and needs, and which of that is supported",
		Long: `Inspect reads a driver file without running it: KMDF version, sections,
imports, the framework functions that its code calls. A "-" marks what dirql does
not support yet. Exit code 0 if everything is supported, 3 if not.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := dirql.LoadDriver(args[0])
			if err != nil {
				return err
			}
			if !d.Inspect(cmd.OutOrStdout()) {
				return exitCode(exitUnsupported)
			}
			return nil
		},
	}
}
