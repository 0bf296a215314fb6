package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql/internal/explain"
)

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [TOPIC]",
		Short: "Explain a topic, a bug check or a rule: what it means, how to find the mistake, how to mend it",
		Long: `Explain prints half a page about a topic (irql, isr, dpc, coalescing, passive,
locks, power, requests, watchdogs, races, exploration, ...), a bug check with or
without its parameters (D1, 0xC4/0x121, IRQL_NOT_LESS_OR_EQUAL), or a rule that a
finding names (KmdfIrql, DoubleCompletion, "data race"). The names in
parentheses, such as QD-3, are the clauses of docs/spec. Without a topic it
lists all of them.`,
		Example: "  dirql explain\n  dirql explain isr\n  dirql explain WdfInterruptQueueDpcForIsr\n  dirql explain D1\n  dirql explain C4 121\n  dirql explain DoubleCompletion",
		RunE: func(cmd *cobra.Command, words []string) error {
			text := explain.List()
			if len(words) > 0 {
				var err error
				if text, err = explain.Find(words); err != nil {
					return err
				}
			}
			if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil {
				return fmt.Errorf("explain: %w", err)
			}
			return nil
		},
	}
}
