// Package ports has a bus driver: its device has child devices that come and go,
// and goes to sleep when it is idle. Its tests run the driver file.
package ports
