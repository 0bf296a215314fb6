package patterns

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dirql/dirql"
)

// Pattern is a mistake with the driver that shows it.
type Pattern struct {
	Number int
	Name   string // of the folder, and of the scenario: "p04-two-owners"
	Title  string // the mistake in one line
	// Findings are what exploring the broken driver can find first: parts of
	// titles. A mistake can show in more than one way.
	Findings []string

	scenario func() *dirql.Scenario // without name and driver
}

//go:embed p*/*.sys
var files embed.FS

// All returns the patterns in the order of their numbers.
func All() []*Pattern { return slices.Concat(first(), second()) }

// Buggy returns the scenario with the driver that has the mistake.
func (p *Pattern) Buggy() *dirql.Scenario { return p.with("buggy.sys") }

// Fixed returns the same scenario with the driver without the mistake.
func (p *Pattern) Fixed() *dirql.Scenario { return p.with("fixed.sys") }

func (p *Pattern) with(file string) *dirql.Scenario {
	name := path.Join(p.Name, file)
	data, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v; bash drivers/build.sh makes it", err))
	}
	d, err := dirql.ReadDriver("drivers/patterns/"+name, data)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v", err))
	}
	s := p.scenario()
	s.Name, s.Title, s.Driver = p.Name, p.Title, d
	return s
}

// Shows reports whether a finding is the mistake.
func (p *Pattern) Shows(f *dirql.Finding) bool {
	return slices.ContainsFunc(p.Findings, func(title string) bool { return strings.Contains(f.Title, title) })
}
