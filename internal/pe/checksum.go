package pe

import "encoding/binary"

// checksumAt returns the file offset of the checksum in the header.
func (f *File) checksumAt() uint32 {
	return binary.LittleEndian.Uint32(f.data[60:]) + 4 + coffHeader + 64
}

// ChecksumOK reports whether the checksum in the header is that of the file;
// false also if the header has none.
func (f *File) ChecksumOK() bool { return f.Checksum == f.fileChecksum() }

// fileChecksum computes what the header's checksum has to be: the sum of all
// 16-bit words but the checksum itself, with carries folded in, plus the length
// (CheckSumMappedFile).
func (f *File) fileChecksum() uint32 {
	var sum uint64
	data := f.data
	for ; len(data) >= 2; data = data[2:] {
		sum += uint64(binary.LittleEndian.Uint16(data))
	}
	if len(data) == 1 {
		sum += uint64(data[0])
	}
	// The field may lie at an odd offset in a strange file: then its bytes
	// belong to three words.
	at := f.checksumAt()
	for i := range uint32(4) {
		sum -= uint64(f.data[at+i]) << (8 * ((at + i) & 1))
	}
	for sum>>16 != 0 {
		sum = sum&0xFFFF + sum>>16
	}
	return uint32(sum) + uint32(len(f.data))
}
