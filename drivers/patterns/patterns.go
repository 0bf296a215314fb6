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
func All() []*Pattern { return slices.Concat(first(), second(), third(), inGo()) }

// Buggy returns the scenario with the driver that has the mistake.
func (p *Pattern) Buggy() *dirql.Scenario { return p.with(true) }

// Fixed returns the same scenario with the driver without the mistake.
func (p *Pattern) Fixed() *dirql.Scenario { return p.with(false) }

func (p *Pattern) with(bug bool) *dirql.Scenario {
	s := p.scenario()
	s.Name, s.Title, s.Driver = p.Name, p.Title, p.driver(bug)
	return s
}

func (p *Pattern) driver(bug bool) dirql.Driver {
	name := "fixed"
	if bug {
		name = "buggy"
	}
	if entry := entries[p.Name]; entry != nil {
		return dirql.Driver{Name: name, Entry: entry(bug)}
	}
	file := path.Join(p.Name, name+".sys")
	data, err := files.ReadFile(file)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v; bash drivers/build.sh makes it", err))
	}
	d, err := dirql.ReadDriver("drivers/patterns/"+file, data)
	if err != nil {
		panic(fmt.Sprintf("BUG: %v", err))
	}
	return d
}

// Shows reports whether a finding is the mistake.
func (p *Pattern) Shows(f *dirql.Finding) bool {
	return slices.ContainsFunc(p.Findings, func(title string) bool { return strings.Contains(f.Title, title) })
}
