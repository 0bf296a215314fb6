package patterns

import (
	"slices"

	controller "github.com/dirql/dirql/drivers/patterns/p05-combined-causes"
	adapter "github.com/dirql/dirql/drivers/patterns/p06-lock-in-error-path"
	balloon "github.com/dirql/dirql/drivers/patterns/p09-cleared-work-item"
	watchdog "github.com/dirql/dirql/drivers/patterns/p13-timer-not-awaited"
	flash "github.com/dirql/dirql/drivers/patterns/p15-waiter-on-stack"
	"github.com/dirql/dirql/wdf"
)

// entries are the drivers in Go: each returns a DriverEntry, with the mistake or
// without.
var entries = map[string]func(bug bool) func(*wdf.Sys) wdf.NTSTATUS{
	"p05-combined-causes-go":    controller.DriverEntry,
	"p06-lock-in-error-path-go": adapter.DriverEntry,
	"p09-cleared-work-item-go":  balloon.DriverEntry,
	"p13-timer-not-awaited-go":  watchdog.DriverEntry,
	"p15-waiter-on-stack-go":    flash.DriverEntry,
}

// inGo lists the patterns whose driver is there in Go, too.
func inGo() []*Pattern {
	var list []*Pattern
	for _, p := range slices.Concat(first(), second()) {
		p.Name, p.Title = p.Name+"-go", p.Title+" (in Go)"
		if entries[p.Name] != nil {
			list = append(list, p)
		}
	}
	return list
}
