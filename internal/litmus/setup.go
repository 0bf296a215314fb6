package litmus

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxProcessors = 64
	maxObjects    = 64
	minDIRQL      = 3
	maxDIRQL      = 11
	maxIRQL       = 15
)

// settings are the tunables that a setup can change.
var settings = []string{"MaximumDpcQueueDepth", "MinimumDpcRate", "IdealDpcRate", "AdjustDpcThreshold", "StormLimit", "OperationTime"}

// parseSetup reads the setup.
func (c *compiler) parseSetup() {
	c.Objects = make([]Object, 0, maxObjects) // never grows: pointers into it stay good
	for _, b := range c.body("setup") {
		r := b.reader()
		switch word := r.name("a kind of object", setupHint()); word {
		case "processors":
			c.parseProcessors(r)
		case "setting":
			c.parseSetting(r)
		case "device":
			r.need(":", "write: device: not started, not pageable, passive, scope device, scope queue")
			c.parseDevice(r)
		default:
			c.parseObject(r, word)
		}
		r.done()
	}
	if c.Processors == 0 {
		fail(c.Line, "add to the setup: processors P0 P1", "test %s has no processors", c.ID)
	}
}

func setupHint() string {
	list := []string{"processors", "setting", "device"}
	for _, d := range declarations {
		list = append(list, d.kind.String())
	}
	return "a setup has lines that start with " + strings.Join(list, ", ")
}

// parseProcessors reads "processors P0 P1".
func (c *compiler) parseProcessors(r *reader) {
	if c.Processors != 0 {
		fail(r.line, "", "the processors are there twice")
	}
	for r.peek().kind == tokenName {
		name := r.next().text
		if n, ok := processorNumber(name); !ok || n != c.Processors || n >= maxProcessors {
			fail(r.line, "write: processors P0 P1 P2 ..., up to P63", "unexpected processor %q", name)
		}
		c.Processors++
	}
}

// parseSetting reads "setting NAME = NUMBER".
func (c *compiler) parseSetting(r *reader) {
	name := r.name("the name of a setting", "")
	if !slices.Contains(settings, name) {
		fail(r.line, "settings are "+strings.Join(settings, ", "), "unknown setting %q", name)
	}
	r.need("=", "write: setting "+name+" = 4")
	c.Settings = append(c.Settings, Setting{name, r.number("the setting", 0, 1<<31)})
}

// parseDevice reads the attributes of the device.
func (c *compiler) parseDevice(r *reader) {
	for more := true; more; more = r.take(",") {
		switch {
		case r.take("passive"):
			c.Device.Passive = true
		case r.take("scope"):
			c.Device.Scope = r.name("device or queue", "")
			if c.Device.Scope != "device" && c.Device.Scope != "queue" {
				fail(r.line, "write: scope device, or: scope queue", "unknown scope %q", c.Device.Scope)
			}
		case r.take("not"):
			switch what := r.name("started or pageable", ""); what {
			case "started":
				c.Device.NotStarted = true
			case "pageable":
				c.Device.NotPageable = true
			default:
				fail(r.line, "write: not started, or: not pageable", "unknown attribute %q", "not "+what)
			}
		default:
			fail(r.line, "a device has: not started, not pageable, passive, scope device, scope queue", "unknown attribute %s", r.peek())
		}
	}
}

// declarations say which objects can be declared, and how.
var declarations = []struct {
	kind   ObjectKind
	values bool // = VALUE, or = VALUE then VALUE
	attrs  func(*compiler, *reader, *Object)
}{
	{KindInterrupt, false, interruptAttr},
	{KindKDPC, false, dpcAttr},
	{KindWDFDPC, false, dpcAttr},
	{KindThreadedDPC, false, dpcAttr},
	{KindSpinLock, false, nil},
	{KindWDFSpinLock, false, nil},
	{KindEvent, false, nil},
	{KindRequest, false, nil},
	{KindPool, false, nil},
	{KindVar, true, nil},
	{KindRegister, true, nil},
	{KindRing, false, ringAttr},
	{KindWorkItem, false, nil},
	{KindTimer, false, timerAttr},
	{KindQueue, false, queueAttr},
}

// parseObject reads the declaration of an object: KIND NAME [= VALUES] [in BLOCK] [: ATTRIBUTE, ...].
func (c *compiler) parseObject(r *reader, word string) {
	for _, d := range declarations {
		if d.kind.String() != word {
			continue
		}
		o := c.newObject(r, d.kind)
		if d.values {
			c.initialValues(r, o)
		}
		if r.take("in") {
			o.Block = c.objectOf(r, kinds(KindPool)).ID
		}
		if d.attrs != nil && r.take(":") {
			d.attrs(c, r, o)
			for r.take(",") {
				d.attrs(c, r, o)
			}
		}
		c.checkObject(r, o)
		return
	}
	fail(r.line, setupHint(), "unknown kind of object %q", word)
}

// newObject reads a name and adds an object with default attributes.
func (c *compiler) newObject(r *reader, kind ObjectKind) *Object {
	name := r.name("a name", "write: "+kind.String()+" NAME")
	if reserved(name) || c.Object(name) != nil || slices.Contains(c.Words, name) {
		fail(r.line, "choose another name", "%s is taken", name)
	}
	if len(c.Objects) == maxObjects {
		fail(r.line, "", "more than %d objects", maxObjects)
	}
	c.Objects = append(c.Objects, Object{
		ID: ObjectID(len(c.Objects)), Name: name, Kind: kind, Block: NoObject, Line: r.line,
		Interrupt: InterruptAttr{DPC: NoObject, Work: NoObject, Lock: NoObject, Shares: NoObject},
		DPC:       DPCAttr{Target: NoTarget, Interrupt: NoObject, Parent: NoObject},
		Ring:      RingAttr{Interrupt: NoObject},
	})
	return &c.Objects[len(c.Objects)-1]
}

// checkObject checks that the attributes that an object needs are there.
func (c *compiler) checkObject(r *reader, o *Object) {
	hint := "write: interrupt " + o.Name + ": message, DIRQL 5, affinity {P0}"
	switch {
	case o.Kind == KindInterrupt && o.Interrupt.Trigger == 0:
		fail(r.line, hint, "interrupt %s has no trigger", o.Name)
	case o.Kind == KindInterrupt && o.Interrupt.DIRQL == 0:
		fail(r.line, hint, "interrupt %s has no DIRQL", o.Name)
	case o.Kind == KindInterrupt && o.Interrupt.Shares != NoObject && !c.Objects[o.Interrupt.Shares].Interrupt.sameLine(&o.Interrupt):
		fail(r.line, "give both the same line level or line latched, DIRQL and affinity", "interrupt %s cannot share the line", o.Name)
	case o.Kind == KindInterrupt && o.Interrupt.Affinity == 0:
		fail(r.line, hint, "interrupt %s has no affinity", o.Name)
	case o.Kind == KindRing && o.Ring.Interrupt == NoObject:
		fail(r.line, "write: ring "+o.Name+": raises I", "ring %s raises no interrupt", o.Name)
	}
}

// interruptAttr reads one attribute of an interrupt.
func interruptAttr(c *compiler, r *reader, o *Object) {
	at := &o.Interrupt
	switch word := r.name("an attribute", ""); word {
	case "line":
		switch {
		case r.take("level"):
			at.Trigger = LineLevel
		case r.take("latched"):
			at.Trigger = LineLatched
		default:
			fail(r.line, "write: line level, or line latched", "unknown trigger %s", r.peek())
		}
	case "message":
		at.Trigger = Message
	case "DIRQL":
		at.DIRQL = int(r.number("the DIRQL", minDIRQL, maxDIRQL))
	case "affinity":
		at.Affinity = c.processorSet(r)
	case "lock":
		at.Lock = c.objectOf(r, kinds(KindWDFSpinLock)).ID
	case "AutomaticSerialization":
		at.AutomaticSerialization = true
	case "dpc":
		if at.DPC != NoObject {
			fail(r.line, "an interrupt has one EvtInterruptDpc", "second dpc of interrupt %s", o.Name)
		}
		d := c.newObject(r, KindInterruptDPC)
		d.DPC.Interrupt = o.ID
		at.DPC = d.ID
	case "work":
		if at.Work != NoObject {
			fail(r.line, "an interrupt has one EvtInterruptWorkItem", "second work of interrupt %s", o.Name)
		}
		w := c.newObject(r, KindInterruptWork)
		w.DPC.Interrupt = o.ID
		at.Work = w.ID
	case "shares":
		at.Shares = c.objectOf(r, kinds(KindInterrupt)).ID
	case "passive":
		at.Passive = true
	case "late":
		at.Late = true
	case "wake": // only such an interrupt can have CanWakeDevice (WDFI-6)
		at.Wake, at.Late = true, true
	case "no":
		r.need("resource", "write: no resource")
		at.NoResource = true
	default:
		fail(r.line, "interrupts have: line level, line latched, message, DIRQL n, affinity {P0}, dpc D, work W, lock S, shares I, "+
			"passive, late, wake, no resource, AutomaticSerialization", "unknown attribute %q", word)
	}
}

// dpcAttr reads one attribute of a KDPC or WDFDPC.
func dpcAttr(c *compiler, r *reader, o *Object) {
	switch word := r.name("an attribute", ""); {
	case word == "importance":
		name := r.name("an importance", "")
		i := slices.Index(importanceNames[:], name)
		if i < 0 {
			fail(r.line, "it is one of "+strings.Join(importanceNames[:], ", "), "unknown importance %q", name)
		}
		o.DPC.Importance = Importance(i)
	case word == "target":
		o.DPC.Target = c.processor(r)
	case word == "AutomaticSerialization" && o.Kind == KindWDFDPC:
		o.DPC.AutomaticSerialization = true
	case word == "parent" && o.Kind == KindWDFDPC:
		o.DPC.Parent = c.objectOf(r, kinds(KindQueue)).ID
	default:
		fail(r.line, "DPCs have: importance high, target P1; a wdfdpc also parent Q, AutomaticSerialization", "unknown attribute %q", word)
	}
}

// timerAttr reads one attribute of a WDFTIMER.
func timerAttr(c *compiler, r *reader, o *Object) {
	r.need("passive", "write: timer "+o.Name+", or: timer "+o.Name+": passive")
	o.Timer.Passive = true
}

// queueAttr reads one attribute of a WDFQUEUE.
func queueAttr(c *compiler, r *reader, o *Object) {
	switch word := r.name("an attribute", ""); word {
	case "sequential":
	case "manual":
		o.Queue.Manual = true
	case "passive":
		o.Queue.Passive = true
	case "scope":
		r.need("queue", "write: scope queue")
		o.Queue.Scope = true
	default:
		fail(r.line, "queues have: sequential, manual, passive, scope queue", "unknown attribute %q", word)
	}
}

// ringAttr reads one attribute of a ring.
func ringAttr(c *compiler, r *reader, o *Object) {
	r.need("raises", "write: ring "+o.Name+": raises I")
	o.Ring.Interrupt = c.objectOf(r, kinds(KindInterrupt)).ID
}

// initialValues reads "= VALUE then VALUE ...". The first one gives the type.
func (c *compiler) initialValues(r *reader, o *Object) {
	r.need("=", "write: "+o.Kind.String()+" "+o.Name+" = 0")
	for {
		e := c.constant(r, o)
		if len(o.Cell.Values) > 0 && e.Type != o.Cell.Type {
			fail(r.line, "all values of a register have one type", "a %s after a %s", e.Type, o.Cell.Type)
		}
		o.Cell.Type = e.Type
		o.Cell.Values = append(o.Cell.Values, e)
		if o.Kind != KindRegister || !r.take("then") {
			return
		}
	}
}

// constant reads a constant or the name of an object. A name that is neither becomes a word of the test.
func (c *compiler) constant(r *reader, self *Object) *Expr {
	t := r.next()
	switch {
	case t.kind == tokenNumber:
		return &Expr{Kind: ExprConst, Type: TypeInt, Value: t.value}
	case t.kind != tokenName:
		fail(r.line, "", "expected a value, found %s", t)
	}
	if e := c.namedConstant(t.text); e != nil {
		return e
	}
	if o := c.Object(t.text); o != nil && o.ID != self.ID && o.Kind != KindVar && o.Kind != KindRegister {
		return &Expr{Kind: ExprObject, Type: TypeHandle, Object: o.ID}
	}
	if reserved(t.text) || c.Object(t.text) != nil {
		fail(r.line, "initial values are numbers, T, F, NULL, words, or objects declared above", "%s cannot be an initial value", t.text)
	}
	return c.word(t.text)
}

// word returns the constant for a word, which the test gets to know if it did not.
func (c *compiler) word(text string) *Expr {
	i := slices.Index(c.Words, text)
	if i < 0 {
		i = len(c.Words)
		c.Words = append(c.Words, text)
	}
	return &Expr{Kind: ExprConst, Type: TypeWord, Value: int64(i) + 1}
}

// objectOf takes the name of an object of one of those kinds.
func (c *compiler) objectOf(r *reader, want kindSet) *Object {
	name := r.name("the name of "+article(want.String()), "")
	o := c.Object(name)
	if o == nil {
		fail(r.line, "declare objects in the setup, above their first use", "unknown name %q", name)
	}
	if !want.has(o.Kind) {
		fail(r.line, article(want.String())+" is needed here", "%s is %s", name, article(o.Kind.String()))
	}
	return o
}

// processor takes the name of a processor.
func (c *compiler) processor(r *reader) int {
	name := r.name("a processor", "")
	n, ok := processorNumber(name)
	if !ok || n >= c.Processors {
		fail(r.line, "the setup has P0 to P"+strconv.Itoa(c.Processors-1), "unknown processor %q", name)
	}
	return n
}

// processorSet reads "{P0, P1}".
func (c *compiler) processorSet(r *reader) uint64 {
	var set uint64
	r.need("{", "write: affinity {P0, P1}")
	for {
		set |= 1 << c.processor(r)
		if !r.take(",") {
			break
		}
	}
	r.need("}", "write: affinity {P0, P1}")
	return set
}

// processorNumber returns n for "Pn".
func processorNumber(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, "P")
	if !ok || digits == "" || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	return int(n), err == nil
}
