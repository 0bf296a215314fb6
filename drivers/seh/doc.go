// Package seh holds drivers that use structured exception handling: what __try,
// __except and __finally do in a .sys driver (seh.c), and exceptions that nobody
// handles.
package seh
