package dirql

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dirql/dirql/internal/choice"
)

// Corpus is a directory for what explorations of a scenario leave behind:
//
//	kept-*.dirql     schedules that showed something new; the next one runs them first
//	finding-*.dirql  a replay file for each finding
//	state            how far the random search came, for Resume
//
// Each file is written as soon as there is something to write, beside its place
// and then moved there, so that nothing is lost or half there when the process
// is killed; of the number of runs, the last few.
type Corpus struct {
	dir string
	// Resume continues the exploration that was ended or killed: with the run
	// behind its last one, knowing its findings. A systematic search that was
	// under way begins again.
	Resume bool
}

// KnownFromBefore is the strategy of findings of an exploration that is resumed.
const KnownFromBefore = "known from before"

// savedEvery is the number of runs after which the state is written.
const savedEvery = 16

// OpenCorpus returns the corpus in a directory, which is made if it is not there.
func OpenCorpus(dir string) (*Corpus, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return &Corpus{dir: dir}, nil
}

// write writes a file so that it is there completely or not at all.
func (c *Corpus) write(name string, data []byte) error {
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path+".new", data, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// replays reads the replay files of a kind, in the order of their names.
func (c *Corpus) replays(kind string) ([]*Replay, error) {
	paths, err := filepath.Glob(filepath.Join(c.dir, kind+"-*.dirql"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var list []*Replay
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		p, err := ReadReplay(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// explorationState is the file "state".
type explorationState struct {
	scenario, driver, faults string
	processors               int
	seed                     uint64
	next                     int    // number of the next random run; 0: the systematic searches are not done
	covered                  string // by those
}

const stateHeader = "dirql exploration 1"

func (s *explorationState) text() []byte {
	return fmt.Appendf(nil, "%s\nscenario %s\ndriver %s\nfaults %s\nprocessors %d\nseed %d\nnext %d\ncovered %s\nend\n",
		stateHeader, s.scenario, s.driver, s.faults, s.processors, s.seed, s.next, s.covered)
}

func readState(data []byte) (s explorationState, err error) {
	in := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; in.Scan() && err == nil; n++ {
		key, value, _ := strings.Cut(in.Text(), " ")
		switch {
		case n == 1 && in.Text() != stateHeader:
			return s, fmt.Errorf("line 1 is not %q", stateHeader)
		case n == 1:
		case key == "scenario":
			s.scenario = value
		case key == "driver":
			s.driver = value
		case key == "faults":
			s.faults = value
		case key == "processors":
			s.processors, err = strconv.Atoi(value)
		case key == "seed":
			s.seed, err = strconv.ParseUint(value, 10, 64)
		case key == "next":
			s.next, err = strconv.Atoi(value)
		case key == "covered":
			s.covered = value
		case key == "end":
			return s, nil
		default:
			return s, fmt.Errorf("line %d: %q is unknown", n, key)
		}
	}
	return s, errors.Join(err, errors.New("the file has no line \"end\""))
}

// state returns what the file "state" is to say.
func (x *exploration) state(next int) *explorationState {
	s := &explorationState{scenario: x.s.Name, driver: x.s.Driver.hash(), faults: x.o.Faults.String() + " " + x.o.Profile.String(),
		processors: x.processors, seed: x.o.Seed, next: next, covered: x.covered}
	if x.s.hardware != nil {
		s.scenario += " " + x.s.hardware.String()
	}
	return s
}

// takeOver reads the corpus: schedules always, how far it came and what was
// found only to resume.
func (x *exploration) takeOver(rig *subject) error {
	c := x.o.Corpus
	if c == nil {
		return nil
	}
	kept, err := c.replays("kept")
	if err != nil {
		return err
	}
	for _, p := range kept {
		if p.Scenario == x.s.Name && p.Processors == rig.r.m.Processors() {
			x.kept = append(x.kept, p.schedule)
		}
	}
	if !c.Resume {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(c.dir, "state"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no exploration in %s to resume", c.dir)
	}
	if err != nil {
		return err
	}
	s, err := readState(data)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(c.dir, "state"), err)
	}
	now := x.state(s.next)
	now.covered = s.covered
	if *now != s {
		return fmt.Errorf("the exploration in %s is another one (scenario, driver, processors, faults or seed differ): begin anew, without resuming", c.dir)
	}
	x.first, x.next, x.covered = s.next, s.next, s.covered
	return x.takeOverFindings(rig)
}

// takeOverFindings repeats the runs of the findings of before.
func (x *exploration) takeOverFindings(rig *subject) error {
	list, err := x.o.Corpus.replays("finding")
	if err != nil {
		return err
	}
	for _, p := range list {
		rep := rig.record(p.schedule)
		i := slices.IndexFunc(rep.Findings, func(f Finding) bool { return f.identity == p.Identity })
		if i < 0 {
			continue // of a version of dirql that saw it differently
		}
		d := &Discovery{Identity: p.Identity, Finding: rep.Findings[i], Count: 1, Strategy: KnownFromBefore, Replay: p, Report: rep, Before: len(p.schedule)}
		if why := suppressed(x.o.Suppress, p.Identity); why != nil {
			d.Suppressed = why.Reason
		}
		x.found[p.Identity] = d
		x.known = append(x.known, d)
	}
	return nil
}

// keep writes a schedule that showed something new.
func (x *exploration) keep(rig *subject, schedule choice.Schedule) {
	if x.o.Corpus == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	text := replayText(x.s.replayOf(rig.r, schedule, nil, "kept"))
	x.writeFile("kept", text, text)
}

// keepFinding writes the replay file of a finding.
func (x *exploration) keepFinding(d *Discovery) {
	if x.o.Corpus != nil {
		x.writeFile("finding", d.Identity, replayText(d.Replay))
		x.saveLocked(x.next)
	}
}

func replayText(p *Replay) string {
	var b strings.Builder
	if _, err := p.WriteTo(&b); err != nil {
		panic("BUG: " + err.Error())
	}
	return b.String()
}

// writeFile writes a replay file; what tells it from others becomes its name.
func (x *exploration) writeFile(kind, what, text string) {
	h := fnv.New64a()
	h.Write([]byte(what))
	x.fail(x.o.Corpus.write(fmt.Sprintf("%s-%016x.dirql", kind, h.Sum64()), []byte(text)))
}

// save writes how far the search came.
func (x *exploration) save(next int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.saveLocked(next)
}

func (x *exploration) saveLocked(next int) {
	if x.o.Corpus != nil {
		x.fail(x.o.Corpus.write("state", x.state(next).text()))
	}
}

// fail keeps the first error of the corpus; the search goes on.
func (x *exploration) fail(err error) {
	if err != nil && x.failed == nil {
		x.failed = fmt.Errorf("the corpus cannot be written: %w", err)
	}
}
