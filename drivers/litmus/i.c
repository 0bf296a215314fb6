//go:build ignore

/*
 * i.c: the litmus tests of group I: how interrupts are delivered. See litmus.h.
 */
#include "litmus.h"

static volatile LONG64 thread_ran, dpc_ran, fired, v;
static LONG64 v0, v1; /* not volatile, so that v0 = v0 + 1 is one instruction */
static KDPC E;
static WDFSPINLOCK S;

/* The registers of a ring: interrupt enable, number of entries, the next entry. */
#define RING_COUNT(Ring) ((PULONG64)&Registers[3 * (Ring) + 1])
#define RING_POP(Ring)   ((PULONG64)&Registers[3 * (Ring) + 2])

static NTSTATUS Create(WDFDEVICE Device, PCSTR Name, PFN_WDF_INTERRUPT_ISR Isr, WDFSPINLOCK SpinLock)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, Isr, NULL);
    config.SpinLock = SpinLock;
    return CreateInterruptFrom(Device, Name, &config, NULL);
}

/* CreatePair makes two interrupts. */
static NTSTATUS CreatePair(WDFDEVICE Device, PCSTR NameA, PFN_WDF_INTERRUPT_ISR IsrA, PCSTR NameB, PFN_WDF_INTERRUPT_ISR IsrB)
{
    NTSTATUS status = Create(Device, NameA, IsrA, S);

    return NT_SUCCESS(status) ? Create(Device, NameB, IsrB, S) : status;
}

/* TakeEntry is what the ISR of a ring does: it claims the interrupt if there is an entry, and takes it. */
static BOOLEAN TakeEntry(ULONG Ring)
{
    if (READ_REGISTER_ULONG64(RING_COUNT(Ring)) == 0) {
        return FALSE;
    }
    READ_REGISTER_ULONG64(RING_POP(Ring));
    return TRUE;
}

/* ---- L-53: a storm of a level-triggered line (driver bug) ---- */

/* Does not acknowledge. */
static BOOLEAN L53Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    WdfInterruptQueueDpcForIsr(Interrupt);
    if (LitmusObserve("I.calls") == 3) {
        LitmusUntil("thread_ran == T and dpc_ran == T"); /* P1 goes on during the storm */
    }
    return TRUE;
}

static VOID L53Thread(PVOID Context)
{
    LitmusUntil("I.calls == 3");
    thread_ran = TRUE;
    KeInsertQueueDpc(&E, NULL, NULL);
}

/* Fixed: makes the device release the line. */
static BOOLEAN L53FixedIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    READ_REGISTER_ULONG64(RING_POP(0));
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

static VOID L53FixedThread(PVOID Context)
{
    KeInsertQueueDpc(&E, NULL, NULL);
}

static VOID L53Dpc(PKDPC Dpc, PVOID Context, PVOID SystemArgument1, PVOID SystemArgument2)
{
    dpc_ran = TRUE;
}

static NTSTATUS L53Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr, PKSTART_ROUTINE Thread)
{
    LITMUS_VARIABLE(thread_ran);
    LITMUS_VARIABLE(dpc_ran);
    CreateKdpc(&E, "E", L53Dpc, NULL);
    KeSetTargetProcessorDpc(&E, 1);
    LitmusThread(1, Thread, NULL);
    return CreateInterrupt(Device, Isr, EmptyInterruptDpc, FALSE);
}

static NTSTATUS L53(WDFDEVICE Device) { return L53Setup(Device, L53Isr, L53Thread); }
static NTSTATUS L53_fixed(WDFDEVICE Device) { return L53Setup(Device, L53FixedIsr, L53FixedThread); }

/* ---- L-55: an ISR on a shared line that always claims (driver bug) ---- */

static BOOLEAN Ring0Isr(WDFINTERRUPT Interrupt, ULONG MessageID) { return TakeEntry(0); }
static BOOLEAN Ring1Isr(WDFINTERRUPT Interrupt, ULONG MessageID) { return TakeEntry(1); }

static NTSTATUS L55(WDFDEVICE Device) { return CreatePair(Device, "A", ClaimIsr, "B", Ring0Isr); }

/* Fixed: the ISR of A looks at its device. */
static NTSTATUS L55_fixed(WDFDEVICE Device) { return CreatePair(Device, "A", Ring0Isr, "B", Ring1Isr); }

/* ---- L-56: the second device fires during the scan of a latched line ---- */

static BOOLEAN L56IsrA(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN claimed = TakeEntry(0);

    if (claimed) {
        LitmusMark("serviced");
    }
    return claimed;
}

static BOOLEAN L56IsrB(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    if (!fired) {
        fired = TRUE;
        LitmusArrive("RA"); /* A fires again before the scan ends */
    }
    return FALSE;
}

static NTSTATUS L56(WDFDEVICE Device)
{
    LITMUS_VARIABLE(fired);
    return CreatePair(Device, "A", L56IsrA, "B", L56IsrB);
}

/* ---- L-58: nesting by level ---- */

static BOOLEAN L58Isr5(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("in5");
    v = 5;
    LitmusMark("out5");
    return TRUE;
}

static BOOLEAN L58Isr8(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("in8");
    v = 8;
    LitmusMark("out8");
    return TRUE;
}

static VOID L58Thread(PVOID Context)
{
    v = 1;
}

static NTSTATUS L58(WDFDEVICE Device)
{
    LITMUS_VARIABLE(v);
    LitmusThread(0, L58Thread, NULL);
    return CreatePair(Device, "I5", L58Isr5, "I8", L58Isr8); /* the test decides the levels */
}

/* ---- L-59: two messages of one device ---- */

static BOOLEAN L59Isr0(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    v0 = v0 + 1;
    return TRUE;
}

static BOOLEAN L59Isr1(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    v1 = v1 + 1;
    return TRUE;
}

static BOOLEAN L59OrderIsr0(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("M0");
    return L59Isr0(Interrupt, MessageID);
}

static BOOLEAN L59OrderIsr1(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    LitmusMark("M1");
    return L59Isr1(Interrupt, MessageID);
}

static VOID L59Thread(PVOID Context)
{
    v0 = 0;
}

static NTSTATUS L59Setup(WDFDEVICE Device, PFN_WDF_INTERRUPT_ISR Isr0, PFN_WDF_INTERRUPT_ISR Isr1)
{
    LITMUS_VARIABLE(v0);
    LITMUS_VARIABLE(v1);
    LitmusThread(0, L59Thread, NULL);
    return CreatePair(Device, "M0", Isr0, "M1", Isr1);
}

static NTSTATUS L59(WDFDEVICE Device) { return L59Setup(Device, L59Isr0, L59Isr1); }
static NTSTATUS L59_order(WDFDEVICE Device) { return L59Setup(Device, L59OrderIsr0, L59OrderIsr1); }

static NTSTATUS L59_shared_lock(WDFDEVICE Device)
{
    NTSTATUS status = CreateSpinLock("S", &S);

    return NT_SUCCESS(status) ? L59_order(Device) : status;
}

/* ---- L-60: a spurious call after EvtInterruptDisable ---- */

#define ENABLE ((PULONG64)&Registers[0])

static BOOLEAN L60Isr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    BOOLEAN claimed;

    LitmusMark("isr");
    claimed = READ_REGISTER_ULONG64(ENABLE) != 0;
    LitmusOut("claimed", claimed);
    return claimed;
}

static NTSTATUS L60Disable(WDFINTERRUPT Interrupt, WDFDEVICE Device)
{
    LitmusMark("disable");
    WRITE_REGISTER_ULONG64(ENABLE, 0);
    LitmusMark("disabled");
    return STATUS_SUCCESS;
}

static VOID L60Thread(PVOID Context)
{
    LitmusSetupDone();
    LITMUS_CHECK(LitmusPower("D3") == STATUS_SUCCESS);
}

static NTSTATUS L60(WDFDEVICE Device)
{
    WDF_INTERRUPT_CONFIG config;

    LitmusThread(1, L60Thread, NULL);
    WDF_INTERRUPT_CONFIG_INIT(&config, L60Isr, NULL);
    config.EvtInterruptDisable = L60Disable;
    return CreateInterruptFrom(Device, "I", &config, NULL);
}

const LITMUS_TEST Tests[] = {
    {"L-53", L53},
    {"L-53/fixed", L53_fixed},
    {"L-55", L55},
    {"L-55/fixed", L55_fixed},
    {"L-55/both", L55_fixed}, /* the test differs in its steps only */
    {"L-56", L56},
    {"L-58", L58},
    {"L-58/same", L58},
    {"L-58/twice", L58},
    {"L-59", L59},
    {"L-59/order", L59_order},
    {"L-59/shared-lock", L59_shared_lock},
    {"L-60", L60},
    {NULL},
};
