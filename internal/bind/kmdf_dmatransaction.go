package bind

import "github.com/dirql/dirql/wdf"

func init() {
	register(map[string]func(c *call) uint64{
		"WdfDmaTransactionCreate": func(c *call) uint64 { return c.created(3)(c.WdfDmaTransactionCreate(c.handle(1), c.attributes(2))) },
		"WdfDmaTransactionInitialize": func(c *call) uint64 {
			return uint64(c.WdfDmaTransactionInitialize(c.handle(1), c.callback(2), c.direction(3), c.arg(4), c.arg(5), c.arg(6)))
		},
		"WdfDmaTransactionInitializeUsingRequest": func(c *call) uint64 {
			return uint64(c.WdfDmaTransactionInitializeUsingRequest(c.handle(1), c.handle(2), c.callback(3), c.direction(4)))
		},
		"WdfDmaTransactionInitializeUsingOffset": func(c *call) uint64 {
			return uint64(c.WdfDmaTransactionInitializeUsingOffset(c.handle(1), c.callback(2), c.direction(3), c.arg(4), c.arg(5), c.arg(6)))
		},
		"WdfDmaTransactionExecute": func(c *call) uint64 { return uint64(c.WdfDmaTransactionExecute(c.handle(1), c.arg(2))) },
		"WdfDmaTransactionRelease": func(c *call) uint64 { return uint64(c.WdfDmaTransactionRelease(c.handle(1))) },
		"WdfDmaTransactionDmaCompleted": func(c *call) uint64 {
			return c.ended(2)(c.WdfDmaTransactionDmaCompleted(c.handle(1)))
		},
		"WdfDmaTransactionDmaCompletedWithLength": func(c *call) uint64 {
			return c.ended(3)(c.WdfDmaTransactionDmaCompletedWithLength(c.handle(1), c.arg(2)))
		},
		"WdfDmaTransactionDmaCompletedFinal": func(c *call) uint64 {
			return c.ended(3)(c.WdfDmaTransactionDmaCompletedFinal(c.handle(1), c.arg(2)))
		},
		"WdfDmaTransactionGetBytesTransferred": func(c *call) uint64 { return c.WdfDmaTransactionGetBytesTransferred(c.handle(1)) },
		"WdfDmaTransactionSetMaximumLength":    func(c *call) uint64 { c.WdfDmaTransactionSetMaximumLength(c.handle(1), c.arg(2)); return 0 },
		"WdfDmaTransactionGetRequest":          func(c *call) uint64 { return uint64(c.WdfDmaTransactionGetRequest(c.handle(1))) },
		"WdfDmaTransactionGetCurrentDmaTransferLength": func(c *call) uint64 {
			return c.WdfDmaTransactionGetCurrentDmaTransferLength(c.handle(1))
		},
		"WdfDmaTransactionGetDevice": func(c *call) uint64 { return uint64(c.WdfDmaTransactionGetDevice(c.handle(1))) },
	})
}

func (c *call) direction(n int) wdf.DMADirection { return wdf.DMADirection(c.word(n)) }

// ended stores the status of a completed fragment where argument n points to.
func (c *call) ended(n int) func(ended bool, st wdf.NTSTATUS) uint64 {
	return func(ended bool, st wdf.NTSTATUS) uint64 {
		c.giveWord(n, uint32(st))
		return boolean(ended)
	}
}
