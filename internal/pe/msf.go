package pe

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// msfMagic begins a multi-stream file, version 7: the container of a PDB.
const msfMagic = "Microsoft C/C++ MSF 7.00\r\n\x1aDS\x00\x00\x00"

// msf is a multi-stream file: blocks of one size, and a directory that lists
// the blocks of each stream.
type msf struct {
	name    string
	data    []byte
	block   int
	blocks  int
	streams []msfStream
}

// msfStream is a stream that is not read yet.
type msfStream struct {
	size   int
	blocks []byte // numbers of its blocks, four bytes each
}

// MaxPDB is the size of the largest PDB that is read.
const MaxPDB = 1 << 30

const hintPDB = "take the PDB that the linker wrote next to the driver, or remove it"

func (m *msf) fail(offset int64, format string, args ...any) *Error {
	return &Error{File: m.name, What: fmt.Sprintf(format, args...), Offset: offset, Hint: hintPDB}
}

// openMSF reads the superblock and the directory. A block belongs to one
// stream only, so that all streams together are not larger than the file.
func openMSF(name string, data []byte) (*msf, error) {
	m := &msf{name: name, data: data}
	if len(data) > MaxPDB {
		return nil, m.fail(-1, "the file has %d bytes, more than dirql reads (%d)", len(data), MaxPDB)
	}
	if !strings.HasPrefix(string(data[:min(len(data), len(msfMagic))]), msfMagic) {
		return nil, m.fail(0, "not a PDB (MSF 7.00)")
	}
	c := cursor{data: data, pos: len(msfMagic)}
	block, _, blocks, size, _, index := c.u32(), c.u32(), c.u32(), c.u32(), c.u32(), c.u32()
	if c.bad || block < 512 || block > 1<<16 || !powerOfTwo(block) {
		return nil, m.fail(int64(len(msfMagic)), "impossible size of a block: %d", block)
	}
	m.block = int(block)
	if uint64(blocks)*uint64(block) > uint64(len(data)) {
		return nil, m.fail(-1, "the PDB is cut off: it should have %d bytes, it has %d", uint64(blocks)*uint64(block), len(data))
	}
	m.blocks = int(blocks)
	directory, err := m.readDirectory(size, index)
	if err != nil {
		return nil, err
	}
	if err := m.parseDirectory(directory); err != nil {
		return nil, err
	}
	return m, nil
}

// blocksFor returns how many blocks size bytes take.
func (m *msf) blocksFor(size int) int { return (size + m.block - 1) / m.block }

// readDirectory returns the directory: the list of its blocks is in the block
// index.
func (m *msf) readDirectory(size, index uint32) ([]byte, error) {
	if uint64(size) > uint64(len(m.data)) || int64(index) >= int64(m.blocks) {
		return nil, m.fail(-1, "the directory of streams (%d bytes, list in block %d) is not in the file", size, index)
	}
	n := m.blocksFor(int(size))
	at := int(index) * m.block
	if n*4 > len(m.data)-at { // the list may take several blocks
		return nil, m.fail(int64(at), "the list of the directory's blocks is cut off")
	}
	return m.gather(msfStream{int(size), m.data[at : at+n*4]})
}

// parseDirectory reads the number of streams, their sizes, and their blocks.
func (m *msf) parseDirectory(directory []byte) error {
	c := cursor{data: directory}
	count := c.u32()
	if c.bad || int64(count)*4 > int64(c.left()) {
		return m.fail(-1, "the directory announces %d streams, there is room for %d", count, c.left()/4)
	}
	lists := cursor{data: directory, pos: 4 + int(count)*4}
	used := make([]bool, m.blocks)
	for i := range count {
		size := c.u32()
		if size == 1<<32-1 { // no stream
			size = 0
		}
		if uint64(size) > uint64(len(m.data)) {
			return m.fail(-1, "stream %d would have %d bytes, more than the file", i, size)
		}
		s := msfStream{size: int(size), blocks: lists.take(4 * m.blocksFor(int(size)))}
		for b := s.blocks; len(b) > 0; b = b[4:] {
			n := binary.LittleEndian.Uint32(b)
			if int64(n) >= int64(m.blocks) || used[n] {
				return m.fail(-1, "stream %d has block %d, which does not exist or has another owner", i, n)
			}
			used[n] = true
		}
		m.streams = append(m.streams, s)
	}
	if lists.bad {
		return m.fail(-1, "the directory of streams is cut off")
	}
	return nil
}

// gather copies the blocks of a stream together.
func (m *msf) gather(s msfStream) ([]byte, error) {
	out := make([]byte, 0, s.size)
	for b := s.blocks; len(out) < s.size; b = b[4:] {
		n := int(binary.LittleEndian.Uint32(b))
		if n >= m.blocks {
			return nil, m.fail(-1, "block %d does not exist", n)
		}
		out = append(out, m.data[n*m.block:][:min(m.block, s.size-len(out))]...)
	}
	return out, nil
}

// stream returns the contents of a stream; nothing if it does not exist.
func (m *msf) stream(n int) []byte {
	if n < 0 || n >= len(m.streams) {
		return nil
	}
	data, _ := m.gather(m.streams[n])
	return data
}
