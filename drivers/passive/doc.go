// Package passive has a driver binary that handles its interrupt at PASSIVE_LEVEL,
// and variants with one mistake each. It uses what the framework offers for
// interrupts beyond the usual: a wait lock, a work item, an extended policy, soft
// disconnect; and it checks what WdfInterruptCreate refuses.
package passive
