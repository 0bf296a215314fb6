package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"

	"github.com/dirql/dirql"
)

// This file is the result of an exploration for other programs: JSON, JUnit,
// SARIF.

// explorationJSON is the result of an exploration as JSON.
type explorationJSON struct {
	Scenario string             `json:"scenario"`
	Runs     int                `json:"runs"`
	Earlier  int                `json:"earlier_runs,omitempty"`
	Bounded  int                `json:"bounded_runs"`
	Refused  int                `json:"refused_runs,omitempty"`
	Pairs    int                `json:"access_pairs"`
	Covered  string             `json:"covered,omitempty"`
	Findings []explorationFound `json:"findings"`
}

type explorationFound struct {
	Title       string   `json:"title"`
	Text        string   `json:"text"`
	Rule        string   `json:"rule,omitempty"`
	Clause      string   `json:"clause,omitempty"`
	BugCheck    uint32   `json:"bug_check,omitempty"`
	Unsupported bool     `json:"unsupported,omitempty"`
	Identity    string   `json:"identity"`
	Source      string   `json:"source,omitempty"`
	Line        int      `json:"line,omitempty"`
	Stack       []string `json:"stack"`
	Runs        int      `json:"runs"`
	FirstRun    int      `json:"first_run"`
	Strategy    string   `json:"strategy"`
	Deviations  int      `json:"deviations"`
	Preemptions int      `json:"preemptions"`
	Interrupts  int      `json:"interrupts"`
	Replay      string   `json:"replay,omitempty"`
	Suppressed  string   `json:"suppressed,omitempty"`
	Minor       bool     `json:"minor,omitempty"`

	Accesses []explorationAccess  `json:"accesses,omitempty"` // of a data race
	Proof    string               `json:"proof,omitempty"`
	Variants []explorationVariant `json:"also_seen_as,omitempty"`
}

type explorationAccess struct {
	Text  string   `json:"text"`
	CPU   int      `json:"cpu"`
	IRQL  uint8    `json:"irql"`
	Locks []string `json:"locks,omitempty"`
	Stack []string `json:"stack"`
}

func accessesJSON(f *dirql.Finding) (list []explorationAccess) {
	for _, a := range f.Accesses {
		list = append(list, explorationAccess{a.Text, a.Processor, a.IRQL, a.Locks, a.Stack})
	}
	return list
}

type explorationVariant struct {
	Text string `json:"text"`
	Runs int    `json:"runs"`
}

func variantsJSON(d *dirql.Discovery) (list []explorationVariant) {
	for _, v := range d.Variants {
		list = append(list, explorationVariant{v.Text, v.Runs})
	}
	return list
}

func (out *exploreOutput) json(w io.Writer, r *dirql.ExploreReport) error {
	j := explorationJSON{Scenario: r.Scenario, Runs: r.Runs, Earlier: r.Earlier, Bounded: r.Bounded, Refused: r.Refused, Pairs: r.Pairs,
		Covered: r.Covered, Findings: []explorationFound{}}
	for _, d := range r.Discoveries {
		f := &d.Finding
		j.Findings = append(j.Findings, explorationFound{Title: f.Title, Text: f.Text, Rule: f.Rule, Clause: f.Clause, BugCheck: f.Code,
			Unsupported: f.Unsupported, Identity: d.Identity, Source: f.Source, Line: f.Line, Stack: f.Stack, Runs: d.Count, FirstRun: d.Run + 1,
			Strategy: d.Strategy, Deviations: d.Replay.Deviations(), Preemptions: d.Preemptions, Interrupts: d.Interrupts,
			Replay: out.paths[d.Identity], Suppressed: d.Suppressed, Minor: f.Minor,
			Accesses: accessesJSON(f), Proof: f.Adjacent.String(), Variants: variantsJSON(d)})
	}
	return writeIndented(w, j)
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// junitSuite is a test suite as the readers of JUnit files know it.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a test case for each finding, or one that passes.
func (out *exploreOutput) writeJUnit(w io.Writer, r *dirql.ExploreReport) error {
	s := junitSuite{Name: "dirql explore " + r.Scenario}
	class := "dirql." + fileName(r.Scenario)
	for _, d := range r.Discoveries {
		c := junitCase{Class: class, Name: d.Finding.Title, Output: "identity: " + d.Identity}
		for _, v := range d.Variants {
			c.Output += fmt.Sprintf("\nalso seen as: %s (in %d runs)", v.Text, v.Runs)
		}
		if path := out.paths[d.Identity]; path != "" {
			c.Output += "\nagain: dirql replay " + path
		}
		m := &junitMessage{Message: d.Finding.Title, Type: d.Finding.Rule, Text: d.Finding.Text}
		switch {
		case d.Suppressed != "":
			c.Skipped, s.Skipped = &junitMessage{Message: d.Suppressed}, s.Skipped+1
		case d.Finding.Minor:
			c.Output += "\nminor: " + d.Finding.Text
		case d.Finding.Unsupported:
			c.Error, s.Errors = m, s.Errors+1
		default:
			c.Failure, s.Failures = m, s.Failures+1
		}
		s.Cases = append(s.Cases, c)
	}
	if s.Failures+s.Errors == 0 {
		s.Cases = append(s.Cases, junitCase{Class: class, Name: "no findings", Output: covered(r)})
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// The part of SARIF 2.1.0 (OASIS) that is written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Suppressions []sarifSuppressed `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifSuppressed struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// writeSARIF writes a result for each finding.
func (out *exploreOutput) writeSARIF(w io.Writer, r *dirql.ExploreReport) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "dirql", Rules: []sarifRule{}}}, Results: []sarifResult{}}
	rules := map[string]bool{}
	for _, d := range r.Discoveries {
		x := sarifOf(d)
		if path := out.paths[d.Identity]; path != "" {
			x.Message.Text += "\nAgain: dirql replay " + path
		}
		if !rules[x.RuleID] {
			rules[x.RuleID] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{x.RuleID})
		}
		run.Results = append(run.Results, x)
	}
	return writeIndented(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func sarifOf(d *dirql.Discovery) sarifResult {
	f := &d.Finding
	x := sarifResult{RuleID: ruleID(f), Level: "error", Message: sarifText{f.Title + ": " + f.Text}, Fingerprints: map[string]string{"dirql/v1": d.Identity}}
	if f.Unsupported || f.Minor {
		x.Level = "note"
	}
	var at sarifLocation
	if f.Source != "" {
		at.Physical = &sarifPhysical{sarifArtifact{filepath.ToSlash(f.Source)}, sarifRegion{f.Line}}
	}
	if len(f.Stack) > 0 {
		at.Logical = []sarifLogical{{f.Stack[0]}}
	}
	if at.Physical != nil || at.Logical != nil {
		x.Locations = []sarifLocation{at}
	}
	if d.Suppressed != "" {
		x.Suppressions = []sarifSuppressed{{"external", d.Suppressed}}
	}
	return x
}

// ruleID names the rule that a finding breaks.
func ruleID(f *dirql.Finding) string {
	switch {
	case f.Unsupported:
		return "not supported"
	case f.Code != 0:
		return fmt.Sprintf("bug check 0x%X", f.Code)
	case f.Rule != "":
		return f.Rule
	}
	return f.Title
}
