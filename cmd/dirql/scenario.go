package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dirql/dirql"
	"github.com/dirql/dirql/drivers"
)

// unknownName is the name of the scenario for drivers that have none, and of its
// device.
const unknownName = "unknown"

// scenarioOptions are the flags that say which scenario is run.
type scenarioOptions struct {
	name   string
	device string
	id     string
}

func (o *scenarioOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.name, "scenario", "", "for a .sys file: the scenario to run it in (default: the one of the same name; if there is none: unknown)")
	f.StringVar(&o.device, "device", "", "unknown: hardware whose registers may answer anything and that interrupts at any time (default: the scenario's device)")
	f.StringVar(&o.id, "pci-id", "", "with unknown hardware: vendor:device[:subsystem vendor:subsystem[:revision[:messages]]] (default: what the .inf beside the driver says)")
}

// scenario returns the scenario with a name, or, for a driver file, a scenario
// with its driver replaced by the file.
func (o *scenarioOptions) scenario(arg string) (*dirql.Scenario, error) {
	if o.device != "" && o.device != unknownName {
		return nil, fmt.Errorf("--device %s: there is only unknown; other devices come with their scenario", o.device)
	}
	if s := drivers.Find(arg); s != nil {
		return s, o.replaceDevice(s)
	}
	if _, err := os.Stat(arg); err != nil && !strings.HasSuffix(strings.ToLower(arg), ".sys") {
		return nil, fmt.Errorf("no scenario is called %q, and there is no such file; scenarios are: %s", arg, scenarioNames())
	}
	driver, err := dirql.LoadDriver(arg)
	if err != nil {
		return nil, err
	}
	name := o.name
	if found := scenarioFor(arg, driver.Name); name == "" && drivers.Find(found) != nil {
		name = found
	}
	if name == "" || name == unknownName {
		h, err := o.hardware(&driver)
		if err != nil {
			return nil, err
		}
		return dirql.UnknownScenario(driver, h), nil
	}
	s := drivers.Find(name)
	if s == nil {
		return nil, fmt.Errorf("no scenario is called %q; say with --scenario which one is for %s: %s, unknown", name, arg, scenarioNames())
	}
	s.Driver = driver
	return s, o.replaceDevice(s)
}

// replaceDevice puts unknown hardware in the place of the scenario's device, if
// that is asked for.
func (o *scenarioOptions) replaceDevice(s *dirql.Scenario) error {
	if o.device == "" {
		if o.id != "" {
			return fmt.Errorf("--pci-id is for unknown hardware: say --device unknown")
		}
		return nil
	}
	h, err := o.hardware(&s.Driver)
	if err != nil {
		return err
	}
	s.OnUnknownHardware(h)
	return nil
}

func (o *scenarioOptions) hardware(d *dirql.Driver) (dirql.Hardware, error) {
	if o.id == "" {
		return d.Hardware()
	}
	h, err := dirql.ParseHardware(o.id)
	if err != nil {
		return h, fmt.Errorf("--pci-id: %w", err)
	}
	return h, nil
}
