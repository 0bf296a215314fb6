package mem

import "encoding/binary"

// Hash is a 128-bit fingerprint of memory, kept up to date by every write: the
// exclusive or over all 8-byte cells that are not zero of a mix of place and
// value, and over what was mapped, unmapped, allocated and freed.
type Hash [2]uint64

// EnableHash starts keeping the fingerprint. Contents written before do not
// count: they are the same for every state that is compared.
func (s *Space) EnableHash() {
	s.hashing = true
	s.changes++ // stores must not go to the bytes of pages any more
}

// DisableHash ends it; what it says then means nothing.
func (s *Space) DisableHash() { s.hashing = false }

// Hash returns the fingerprint of everything written since EnableHash.
func (s *Space) Hash() Hash { return s.hash }

// unhash adds or, called again, takes out the cells that [off, off+n) of a
// frame touches.
func (s *Space) unhash(fr int32, d *[PageSize]byte, off uint64, n int) {
	if !s.hashing {
		return
	}
	for c := off &^ 7; c < off+uint64(n); c += 8 {
		v := binary.LittleEndian.Uint64(d[c:])
		if v == 0 {
			continue
		}
		place := uint64(fr)<<pageShift | c
		s.hash[0] ^= Mix(place^0x9E3779B97F4A7C15, v)
		s.hash[1] ^= Mix(v^0xC2B2AE3D27D4EB4F, place)
	}
}

// What is marked in the fingerprint besides contents.
const (
	markMap   = 0xFF51AFD7ED558CCD // a page was mapped
	markUnmap = 0xB492B66FBE98F273
	markAlloc = 0x9FB21C651E98DF25 // a block was allocated
	markFree  = 0xD6E8FEB86659FD93
)

// mark puts a change of the tables into the fingerprint. Each address is
// mapped, unmapped, allocated and freed once at most.
func (s *Space) mark(what, addr, v uint64) {
	if s.hashing {
		s.hash[0] ^= Mix(what^addr, v)
		s.hash[1] ^= Mix(what+v, addr)
	}
}

// Mix is a 64-bit mixing function of two words (the finaliser of SplitMix64
// applied twice).
func Mix(a, b uint64) uint64 {
	return finish(finish(a) + b)
}

func finish(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}
