package kernel

import (
	"encoding/binary"

	"github.com/dirql/dirql/internal/mem"
)

// sharedUserPage is KUSER_SHARED_DATA, which compiled drivers read directly.
const sharedUserPage = 0xFFFFF780_00000000

// systemTimeAtBoot is what the system time is when virtual time begins, in units
// of 100 ns since 1601: 1 January 2020, 00:00 UTC.
const systemTimeAtBoot = 132223104000000000

// sharedUserData returns size bytes of KUSER_SHARED_DATA at an offset: times
// that follow the virtual clock, and the version of the system.
func (m *Machine) sharedUserData(off uint64, size int) uint64 {
	var page [mem.PageSize + 8]byte
	put := func(at int, v uint64) { // KSYSTEM_TIME: low part, high part twice
		binary.LittleEndian.PutUint64(page[at:], v)
		binary.LittleEndian.PutUint32(page[at+8:], uint32(v>>32))
	}
	put(0x08, m.now/100)                  // InterruptTime
	put(0x14, systemTimeAtBoot+m.now/100) // SystemTime
	put(0x320, m.now/m.cfg.Tunables.TickTime)
	binary.LittleEndian.PutUint32(page[0x04:], 0x0FA00000) // TickCountMultiplier
	binary.LittleEndian.PutUint32(page[0x260:], 19041)     // NtBuildNumber
	binary.LittleEndian.PutUint32(page[0x26C:], 10)        // NtMajorVersion
	binary.LittleEndian.PutUint32(page[0x3C0:], uint32(len(m.procs)))
	v := binary.LittleEndian.Uint64(page[off:])
	return v << (64 - 8*size) >> (64 - 8*size)
}
