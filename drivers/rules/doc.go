// Package rules has a driver that keeps rules of Windows for which no other driver
// here is an example (CancelSpinLock, SpinLockSafe, PagedCode and others), and variants
// that break one each.
package rules
