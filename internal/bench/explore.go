package bench

import (
	"testing"

	"github.com/dirql/dirql"
	driver "github.com/dirql/dirql/drivers/bench"
	"github.com/dirql/dirql/drivers/edu"
)

// schedules is a benchmark of explorations: one operation is one schedule, from
// the restored state of the machine to the verdict of the race detector.
func schedules(name string, s *dirql.Scenario, processors int) Benchmark {
	return Benchmark{Name: "schedule/" + name, Run: func(b *testing.B) { explore(b, s, processors) }}
}

// calls is a benchmark of schedules that do many things each: calls, interrupts.
func calls(name string, w driver.Work) Benchmark {
	return Benchmark{Name: name, Run: func(b *testing.B) { explore(b, driver.Scenario(w), 1) }, Each: many}
}

func explore(b *testing.B, s *dirql.Scenario, processors int) {
	r, err := s.Explore(b.Context(), dirql.ExploreOptions{Processors: processors, Strategy: dirql.Random, Runs: b.N})
	if err != nil {
		b.Fatal(err)
	}
	if len(r.Discoveries) > 0 {
		b.Fatalf("%s: %+v", s.Name, r.Discoveries[0].Finding)
	}
}

// Work of the driver in drivers/bench for which it executes some 500 and 5,000
// instructions, from the request to its completion and the removal of the device.
var (
	small = driver.Work{Descriptors: 6}
	large = driver.Work{Descriptors: 104}
)

// many is how much one schedule of calls does.
const many = 1000

// explorations lists the benchmarks of this file.
func explorations() []Benchmark {
	list := []Benchmark{
		calls("call/spin lock pair", driver.Work{Locks: many}),
		calls("call/event set and wait", driver.Work{Waits: many}),
		calls("call/WdfInterruptQueueDpcForIsr", driver.Work{Inserts: many}),
		calls("cycle/ISR and DPC", driver.Work{Cycles: many}),
		schedules("500 instructions", driver.Scenario(small), 1),
		schedules("5000 instructions", driver.Scenario(large), 1),
		schedules("500 instructions on 2 processors", driver.Scenario(small), 2),
		schedules("5000 instructions on 2 processors", driver.Scenario(large), 2),
	}
	for _, s := range []*dirql.Scenario{edu.Scenario(), edu.Busy(), edu.Power(), edu.Unplug()} {
		binary := *s
		binary.Driver = edu.Binary()
		list = append(list, schedules(s.Name, s, 2), schedules(s.Name+".sys", &binary, 2))
	}
	return list
}
