// Package resource has a driver that tries executive resources (ERESOURCE), and
// variants of it with one mistake each.
package resource
