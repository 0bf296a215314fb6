package bench

import (
	"testing"

	"github.com/dirql/dirql"
	driver "github.com/dirql/dirql/drivers/bench"
	"github.com/dirql/dirql/drivers/edu"
)

// schedules is a benchmark of explorations: one operation is one schedule, from
// the restored state of the machine to the verdict of the race detector.
func schedules(s *dirql.Scenario, processors int) func(b *testing.B) {
	return func(b *testing.B) { explore(b, s, processors, b.N) }
}

// each is a benchmark in which a schedule does many things: one operation is one of
// them.
func each(w driver.Work, times int) func(b *testing.B) {
	return func(b *testing.B) { explore(b, driver.Scenario(w), 1, (b.N+times-1)/times) }
}

func explore(b *testing.B, s *dirql.Scenario, processors, runs int) {
	r, err := s.Explore(b.Context(), dirql.ExploreOptions{Processors: processors, Strategy: dirql.Random, Runs: runs})
	if err != nil {
		b.Fatal(err)
	}
	if len(r.Discoveries) > 0 {
		b.Fatalf("%s: %+v", s.Name, r.Discoveries[0].Finding)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "/s")
}

// Work of the driver in drivers/bench that makes a schedule of some 500 and 5,000
// instructions.
var (
	small = driver.Work{Descriptors: 6}
	large = driver.Work{Descriptors: 90}
)

// many is how many calls one schedule makes.
const many = 1000

// explorations lists the benchmarks of this file.
func explorations() []Benchmark {
	list := []Benchmark{
		{"call/spin lock pair", each(driver.Work{Locks: many}, many)},
		{"call/event set and wait", each(driver.Work{Waits: many}, many)},
		{"call/WdfInterruptQueueDpcForIsr", each(driver.Work{Inserts: many}, many)},
		{"cycle/ISR and DPC", each(driver.Work{Cycles: many}, many)},
		{"schedule/500 instructions", schedules(driver.Scenario(small), 1)},
		{"schedule/500 instructions, 2 processors", schedules(driver.Scenario(small), 2)},
		{"schedule/5000 instructions", schedules(driver.Scenario(large), 1)},
		{"schedule/5000 instructions, 2 processors", schedules(driver.Scenario(large), 2)},
	}
	for _, s := range []*dirql.Scenario{edu.Scenario(), edu.Busy(), edu.Power(), edu.Unplug()} {
		list = append(list, Benchmark{"schedule/" + s.Name, schedules(s, 2)})
	}
	return list
}
