package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dirql/dirql"
)

// process starts the command in a process of its own.
func process(t *testing.T, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "dirql")
	if runtime.GOOS == "windows" {
		link += ".exe"
	}
	if _, err := os.Stat(link); err != nil {
		data, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(link, data, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	cmd := exec.Command(link, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// waitFor waits until the state of an exploration says that it has come further
// than a few runs, and a finding is there.
func waitFor(t *testing.T, corpus string) {
	t.Helper()
	for range 600 {
		state, _ := os.ReadFile(filepath.Join(corpus, "state"))
		found, _ := filepath.Glob(filepath.Join(corpus, "finding-*.dirql"))
		if len(found) > 0 && strings.Contains(string(state), "\nnext ") && !strings.Contains(string(state), "\nnext 0\n") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the exploration does not come on")
}

// buggy copies a driver that fails on unknown hardware into a new folder.
func buggy(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	data, err := os.ReadFile("../../drivers/probe/testdata/trust-slot.sys")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trust-slot.sys"), data, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An exploration that is killed in the middle goes on where it was: what it
// found is known.
func TestExploreSurvivesBeingKilled(t *testing.T) {
	dir := buggy(t)
	args := []string{"explore", "trust-slot.sys", "--strategy", "random", "--keep", "corpus"}
	cmd, _ := process(t, dir, append(args, "--budget", "10m")...)
	waitFor(t, filepath.Join(dir, "corpus"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	cmd, out := process(t, dir, append(args, "--budget", "20", "--resume")...)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFindings || !strings.Contains(out.String(), "They continue an exploration of") ||
		!strings.Contains(out.String(), "(known from before)") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// Ctrl-C ends an exploration with its report and the files that were asked for.
func TestExploreInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send Ctrl-C to another one there")
	}
	dir := buggy(t)
	cmd, out := process(t, dir, "explore", "trust-slot.sys", "--strategy", "random", "--keep", "corpus", "--budget", "10m", "--junit", "junit.xml")
	waitFor(t, filepath.Join(dir, "corpus"))
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFindings || !strings.Contains(out.String(), "different findings:") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "junit.xml")); err != nil {
		t.Error(err)
	}
}

// The files for other programs have the finding, with its line of the source
// where debug information is there, and what was suppressed with its reason.
func TestExploreFiles(t *testing.T) {
	dir := t.TempDir()
	sup := filepath.Join(dir, "known.txt")
	if err := os.WriteFile(sup, []byte("*WdfSpin* -- never seen\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	file := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"explore", "../../drivers/edu/testdata/complete-twice.sys", "--scenario", "edu", "--budget", "20", "--out", dir,
		"--junit", file("junit.xml"), "--sarif", file("sarif.json"), "--format", "json", "--suppress", sup}
	if code := run(args, &stdout, &stderr); code != exitFindings {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var j explorationJSON
	if err := json.Unmarshal(stdout.Bytes(), &j); err != nil || len(j.Findings) != 1 || j.Findings[0].BugCheck != 0x10D || j.Findings[0].Replay == "" {
		t.Errorf("%v: %s", err, &stdout)
	}
	var s junitSuite
	data, _ := os.ReadFile(file("junit.xml"))
	if err := xml.Unmarshal(data, &s); err != nil || s.Tests != 1 || s.Failures != 1 || !strings.Contains(s.Cases[0].Failure.Message, "0x10D") {
		t.Errorf("%v: %s", err, data)
	}
	var l sarifLog
	data, _ = os.ReadFile(file("sarif.json"))
	if err := json.Unmarshal(data, &l); err != nil || l.Version != "2.1.0" || len(l.Runs[0].Results) != 1 || l.Runs[0].Results[0].RuleID != "bug check 0x10D" {
		t.Errorf("%v: %s", err, data)
	}
	// The same finding, suppressed.
	if err := os.WriteFile(sup, []byte(j.Findings[0].Identity+" -- a test\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	stdout.Reset()
	if code := run(args, &stdout, &stderr); code != exitClean {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	data, _ = os.ReadFile(file("junit.xml"))
	if !strings.Contains(string(data), `<skipped message="a test">`) || !strings.Contains(stdout.String(), `"suppressed": "a test"`) {
		t.Errorf("%s\n%s", data, &stdout)
	}
}

// A finding in a driver with debug information names the line.
func TestExploreSourceLine(t *testing.T) {
	dir := t.TempDir()
	sys := filepath.Join(dir, "trust.sys")
	out, err := exec.Command("bash", "../../drivers/build.sh", "-o", sys, "-DBUG_TRUST_SLOT", "drivers/probe/probe.c").CombinedOutput()
	if err != nil {
		t.Skipf("the driver cannot be built here: %s", out)
	}
	var stdout, stderr bytes.Buffer
	sarif := filepath.Join(dir, "sarif.json")
	if code := run([]string{"explore", sys, "--budget", "600", "--out", dir, "--sarif", sarif}, &stdout, &stderr); code != exitFindings {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	var l sarifLog
	data, _ := os.ReadFile(sarif)
	if err := json.Unmarshal(data, &l); err != nil || len(l.Runs[0].Results) == 0 || l.Runs[0].Results[0].Locations[0].Physical == nil {
		t.Fatalf("%v: %s", err, data)
	}
	at := l.Runs[0].Results[0].Locations[0].Physical
	source, err := os.ReadFile("../../drivers/probe/probe.c")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	if !strings.HasSuffix(at.Artifact.URI, "drivers/probe/probe.c") || !strings.Contains(lines[at.Region.StartLine-1], "Slots[slot]") {
		t.Errorf("it is said to be at %s:%d", at.Artifact.URI, at.Region.StartLine)
	}
}

// The line on a terminal says what is left.
func TestProgressLine(t *testing.T) {
	r := &dirql.ExploreReport{Runs: 500, Pairs: 7}
	for _, c := range []struct {
		p    progress
		want string
	}{
		{progress{runs: 1500}, "500 runs, 100 a second, 0 findings, 7 pairs of accesses, 10s left"},
		{progress{limit: time.Minute}, "500 runs, 100 a second, 0 findings, 7 pairs of accesses, 55s left"},
	} {
		if got := c.p.line(r, 5*time.Second); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	var b bytes.Buffer
	p := newProgress(&b, 1, 0)
	p.show(r)
	p.clear()
	if b.Len() != 0 {
		t.Errorf("what is no terminal got %q", &b)
	}
}
