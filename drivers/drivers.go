// Package drivers lists the example drivers that come with dirql, each in a
// folder of its own.
package drivers

import (
	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers/edu"
	races "github.com/dirql/dirql/drivers/edu-races"
	"github.com/dirql/dirql/drivers/patterns"
	"github.com/dirql/dirql/drivers/wake"
)

// Scenarios returns the scenarios that dirql run knows by name, in the order in
// which it lists them.
func Scenarios() []*dirql.Scenario {
	list := []*dirql.Scenario{edu.Scenario(), edu.Busy(), edu.Power(), edu.Rebalance(), edu.Unplug(), races.Scenario()}
	list = append(list, wake.Scenarios()...)
	for _, p := range patterns.All() {
		list = append(list, p.Buggy())
	}
	return list
}

// Find returns the scenario with a name, nil if there is none.
func Find(name string) *dirql.Scenario {
	for _, s := range Scenarios() {
		if s.Name == name {
			return s
		}
	}
	return nil
}
