package kernel

import (
	"fmt"
	"strings"
)

// Profile says which verifiers are on and how the system is set up (VER-6). The
// zero Profile has both verifiers off.
type Profile struct {
	FrameworkVerifier bool // verifier breaks are findings
	DriverVerifier    bool // 0xC4 and 0xC9 checks, special pool
	StopAtBreaks      bool // a verifier break is what it is without a debugger: bug check 0x1E or 0x7E
	EnhancedVerifier  bool // EnhancedVerifierOptions bit 0 of the framework: checks around callbacks (VER-5)
	AdviceRules       bool // rules about what is wrong only sometimes are findings: ParentObjectCheck and the like
	NoThreadedDPCs    bool // ThreadDpcEnable = 0: threaded DPCs run as ordinary ones (DPC-25)
}

// DefaultProfile is the profile of VER-6.
var DefaultProfile = Deviations{}.Profile()

// Deviations name a profile by what differs from the default one (VER-6).
type Deviations struct {
	FrameworkVerifierOff bool
	DriverVerifierOff    bool
	StopAtBreaks         bool
	ThreadedDPCsOff      bool
	EnhancedVerifier     bool
	AdviceRules          bool
}

// Profile returns the profile with these deviations.
func (d Deviations) Profile() Profile {
	return Profile{
		FrameworkVerifier: !d.FrameworkVerifierOff, DriverVerifier: !d.DriverVerifierOff,
		StopAtBreaks: d.StopAtBreaks, NoThreadedDPCs: d.ThreadedDPCsOff,
		EnhancedVerifier: d.EnhancedVerifier, AdviceRules: d.AdviceRules,
	}
}

// deviation is the name of a field.
type deviation struct {
	name  string
	field *bool
}

func (d *Deviations) fields() []deviation {
	return []deviation{
		{"framework-verifier-off", &d.FrameworkVerifierOff}, {"driver-verifier-off", &d.DriverVerifierOff},
		{"stop-at-breaks", &d.StopAtBreaks}, {"threaded-dpcs-off", &d.ThreadedDPCsOff},
		{"enhanced-verifier", &d.EnhancedVerifier}, {"advice-rules", &d.AdviceRules},
	}
}

// DeviationNames lists what Set knows.
func DeviationNames() string {
	var names []string
	for _, f := range new(Deviations).fields() {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// Set adds a deviation by its name.
func (d *Deviations) Set(name string) error {
	for _, f := range d.fields() {
		if f.name == name {
			*f.field = true
			return nil
		}
	}
	return fmt.Errorf("there is no profile %q; there are %s", name, DeviationNames())
}

// ParseDeviations reads names with commas between them.
func ParseDeviations(s string) (d Deviations, err error) {
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if err := d.Set(name); err != nil {
			return d, err
		}
	}
	return d, nil
}

// String returns the names of the deviations, "" for the default profile.
func (d Deviations) String() string {
	var names []string
	for _, f := range d.fields() {
		if *f.field {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}
