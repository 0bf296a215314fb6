// Package transfer has a driver for the edu PCI device that moves data in all the
// ways that KMDF has: DMA transactions on the pages of the application, addresses
// of the application, requests that go to the driver below. Its tests check that
// the binary gets it right, and that its broken variants are found out.
package transfer
