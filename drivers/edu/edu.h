/*
 * edu.h: what edu.c shares with applications (the I/O control code), and what
 * it knows about its device: the edu PCI device that QEMU documents
 * (docs/specs/edu.rst there), PCI 1234:11e8.
 */
#ifndef EDU_H
#define EDU_H

/*
 * In: a 32-bit number n. Out: n! modulo 2^32. Code 0x222000.
 */
#define IOCTL_EDU_FACTORIAL CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* The size of the device's buffer in bytes: the longest read or write. */
#define EDU_MAX_TRANSFER 4096

/* Registers of the device, by offset in BAR 0. */
#define EDU_REGISTERS_LENGTH (1024 * 1024)
#define EDU_FACTORIAL        0x08 /* 4 bytes: operand, later result */
#define EDU_STATUS           0x20 /* 4 bytes */
#define EDU_CAUSES           0x24 /* 4 bytes, read-only: what requests service */
#define EDU_ACKNOWLEDGE      0x64 /* 4 bytes, write-only: clears bits of EDU_CAUSES */
#define EDU_DMA_SOURCE       0x80 /* 8 bytes from here on */
#define EDU_DMA_TARGET       0x88
#define EDU_DMA_COUNT        0x90
#define EDU_DMA_COMMAND      0x98

/* Bits of EDU_STATUS. */
#define EDU_STATUS_INTERRUPT 0x80 /* interrupt when the factorial is ready */

/* Bits of EDU_CAUSES. */
#define EDU_CAUSE_FACTORIAL 0x001
#define EDU_CAUSE_DMA       0x100

/* Bits of EDU_DMA_COMMAND. */
#define EDU_DMA_START       0x1
#define EDU_DMA_FROM_DEVICE 0x2
#define EDU_DMA_INTERRUPT   0x4

/* The address of the device's buffer for its DMA engine, and the engine's highest address in memory. */
#define EDU_DEVICE_BUFFER 0x40000
#define EDU_DMA_LIMIT     ((1 << 28) - 1)

#endif
