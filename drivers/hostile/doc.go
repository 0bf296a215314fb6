// Package hostile has drivers that do not behave: they fail, spin for ever,
// recurse for ever, jump to nonsense. Its tests check that each ends with one
// clear message.
package hostile
