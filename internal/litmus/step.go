package litmus

// maxSteps bounds the steps of a test.
const maxSteps = 64

// parseSteps reads the steps.
func (c *compiler) parseSteps() {
	for _, b := range c.body("steps") {
		if len(c.Steps) == maxSteps {
			fail(b.line, "", "more than %d steps", maxSteps)
		}
		c.Steps = append(c.Steps, c.step(b.reader()))
	}
}

// step reads [free] ACTION [while COND] [after COND] [(must) or (only)].
func (c *compiler) step(r *reader) Step {
	s := Step{Line: r.line, Free: r.take("free")}
	hint := "write: [free] ACTION [at P0] [while CONDITION] [after CONDITION] [(must) or (only)]"
	word := r.name("an action", hint)
	if !c.isAction(word) {
		fail(r.line, "actions are interrupt, message, arrive, tick", "unknown action %q", word)
	}
	s.Action = c.action(r, word, ThisProcessor)
	if at := &s.Action; at.Processor == ThisProcessor {
		if at.Kind != ActionMessage && c.Processors > 1 {
			fail(r.line, "add: at P0, or: at any", "the step does not say at which processor")
		}
		at.Processor = AnyProcessor
	}
	if r.take("while") {
		s.While = c.resolve(condition{r.line}, r.expression())
	}
	if r.take("after") {
		s.After = c.resolve(condition{r.line}, r.expression())
	}
	if r.take("(") {
		s.Only = r.take("only")
		if s.Must = !s.Only; s.Must {
			r.need("must", hint)
		}
		r.need(")", hint)
	}
	if t := r.peek(); t.kind != tokenEnd {
		fail(r.line, hint, "unexpected %s", t)
	}
	return s
}

// isAction reports whether a word begins an action.
func (c *compiler) isAction(word string) bool {
	for _, a := range actions {
		if a.name == word {
			return true
		}
	}
	return false
}

// action reads what follows the word of an action: its object, and at which processor.
func (c *compiler) action(r *reader, word string, processor int) Action {
	for _, a := range actions {
		if a.name != word {
			continue
		}
		act := Action{Kind: a.kind, Object: NoObject, Processor: processor}
		if a.of != 0 {
			act.Object = c.objectOf(r, a.of).ID
		}
		if a.kind == ActionArrive {
			act.Processor = AnyProcessor
		}
		if r.take("at") {
			c.actionAt(r, &act, a.at)
		}
		return act
	}
	return Action{}
}

// actionAt reads the processor of an action.
func (c *compiler) actionAt(r *reader, act *Action, can bool) {
	if !can {
		fail(r.line, "the interrupt goes where its affinity says", "%s cannot say at which processor", act.Kind)
	}
	if r.take("any") {
		act.Processor = AnyProcessor
		return
	}
	act.Processor = c.processor(r)
	if act.Object != NoObject {
		c.checkAffinity(r.line, act.Object, act.Processor)
	}
}

// checkAffinity checks that an interrupt can come to a processor.
func (c *compiler) checkAffinity(line int, interrupt ObjectID, processor int) {
	if o := &c.Objects[interrupt]; o.Kind == KindInterrupt && o.Interrupt.Affinity>>processor&1 == 0 {
		fail(line, "extend its affinity, or use a processor of it", "interrupt %s does not go to P%d", o.Name, processor)
	}
}
