/*
 * kernels.c: the programs that the benchmarks run in the interpreter, and that
 * compare.sh runs under Unicorn. bash build.sh makes kernels.bin: flat
 * code that runs at any address and begins with the table of entries below.
 *
 * They are compiled like the drivers in this repository: Microsoft calling
 * convention, small functions that are not inlined.
 */
typedef unsigned long long u64;
typedef unsigned int u32;
typedef unsigned short u16;

/* Entry n is at offset 8*n. */
__asm__(".section .entries,\"xr\"\n"
        ".balign 8\n jmp Init\n"
        ".balign 8\n jmp Alu\n"
        ".balign 8\n jmp Copy\n"
        ".balign 8\n jmp Fib\n"
        ".balign 8\n jmp IsrLoop\n"
        ".balign 8\n jmp Scen\n"
        ".balign 8\n jmp Isr\n"
        ".balign 8\n jmp Dpc\n"
        ".text\n");

/* Alu: 64-bit and 32-bit arithmetic in a loop, no memory. */
u64 Alu(u64 n)
{
    u64 a = n | 1, b = 0x9E3779B97F4A7C15, c = 0;
    u32 d = 1;

    for (u64 i = 0; i < n; i++) {
        a ^= a << 13;
        a ^= a >> 7;
        a ^= a << 17;
        b = b * 6364136223846793005 + 1442695040888963407;
        if (a & 8) {
            c += b >> 33;
        } else {
            c ^= a;
        }
        d = (d << 5) + d + (u32)c;
    }
    return a + b + c + d;
}

/* Copy: memory, word by word. */
u64 Copy(volatile u64 *to, const volatile u64 *from, u64 words, u64 times)
{
    for (u64 t = 0; t < times; t++) {
        for (u64 i = 0; i < words; i++) {
            to[i] = from[i];
        }
    }
    return to[words - 1];
}

/* Fib: calls and returns. */
u64 Fib(u64 n)
{
    return n < 2 ? n : Fib(n - 1) + Fib(n - 2);
}

/*
 * The interrupt path of a network or disk driver: an ISR that reads, remembers
 * and acknowledges causes, and a DPC that completes what the device has put into
 * a ring of descriptors. The registers are memory here.
 */
typedef struct _LIST {
    struct _LIST *Flink, *Blink;
} LIST;

typedef struct _DESCRIPTOR {
    u64 Address;
    u32 Length;
    u16 Flags;
    u16 Id;
} DESCRIPTOR;

typedef struct _REQUEST {
    LIST Link;
    u64 Key;
    u32 State;
    u32 Length;
    u64 Cookie;
} REQUEST;

typedef struct _DEVICE {
    volatile u32 *Registers;
    DESCRIPTOR *Ring;
    REQUEST *Requests;
    u32 Head, Tail, Mask, Causes;
    volatile u32 Lock;
    u32 Interrupts;
    LIST Active, Done;
    u64 Good, Bad, Bytes;
    u32 Queued, Runs;
} DEVICE;

enum { CAUSES, ACKNOWLEDGE, TAIL };
enum { RING = 16, BUDGET = 6 };

static void InsertTail(LIST *head, LIST *entry)
{
    LIST *last = head->Blink;

    entry->Flink = head;
    entry->Blink = last;
    last->Flink = entry;
    head->Blink = entry;
}

static int Remove(LIST *entry)
{
    LIST *next = entry->Flink, *previous = entry->Blink;

    previous->Flink = next;
    next->Blink = previous;
    return next == previous;
}

static void Acquire(volatile u32 *lock)
{
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0) {
    }
}

static void Release(volatile u32 *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

static u32 ReadRegister(DEVICE *device, u32 number)
{
    return device->Registers[number];
}

static void WriteRegister(DEVICE *device, u32 number, u32 value)
{
    device->Registers[number] = value;
}

u32 Isr(void *interrupt, DEVICE *device)
{
    u32 causes = ReadRegister(device, CAUSES);

    (void)interrupt;
    if ((causes & 1) == 0) {
        return 0;
    }
    WriteRegister(device, ACKNOWLEDGE, causes);
    Acquire(&device->Lock);
    device->Interrupts++;
    device->Causes |= causes;
    if (causes & 2) {
        device->Bad++;
    }
    device->Tail = ReadRegister(device, TAIL) & device->Mask;
    if (!device->Queued) {
        __atomic_fetch_or(&device->Queued, 1, __ATOMIC_SEQ_CST);
    }
    Release(&device->Lock);
    return 1;
}

static void Complete(DEVICE *device, REQUEST *request, DESCRIPTOR *descriptor)
{
    if (descriptor->Flags & 1) {
        device->Good++;
        device->Bytes += descriptor->Length;
        request->State = 2;
    } else {
        device->Bad++;
        request->State = 3;
    }
    request->Length = descriptor->Length;
    request->Cookie = descriptor->Address ^ request->Key;
    Remove(&request->Link);
    InsertTail(&device->Done, &request->Link);
}

void Dpc(void *dpc, DEVICE *device)
{
    u32 head;

    (void)dpc;
    Acquire(&device->Lock);
    head = device->Head;
    device->Queued = 0;
    device->Causes = 0;
    for (u32 n = 0; n < BUDGET; n++) {
        DESCRIPTOR *descriptor = &device->Ring[head & device->Mask];

        Complete(device, &device->Requests[descriptor->Id], descriptor);
        head++;
    }
    device->Head = head;
    device->Runs++;
    while (device->Done.Flink != &device->Done) { /* they are used again */
        LIST *entry = device->Done.Flink;

        Remove(entry);
        InsertTail(&device->Active, entry);
    }
    Release(&device->Lock);
}

/* IsrLoop and Scen: the ISR, and the ISR and its DPC, again and again. */
u64 IsrLoop(u64 n, DEVICE *device)
{
    u64 handled = 0;

    for (u64 i = 0; i < n; i++) {
        handled += Isr(0, device);
    }
    return handled;
}

u64 Scen(u64 n, DEVICE *device)
{
    u64 handled = 0;

    for (u64 i = 0; i < n; i++) {
        handled += Isr(0, device);
        Dpc(0, device);
    }
    return handled;
}

/* Init: everything above at its beginning. */
void Init(DEVICE *device, DESCRIPTOR *ring, REQUEST *requests, volatile u32 *registers)
{
    *device = (DEVICE){.Registers = registers, .Ring = ring, .Requests = requests, .Mask = RING - 1};
    device->Active.Flink = device->Active.Blink = &device->Active;
    device->Done.Flink = device->Done.Blink = &device->Done;
    registers[CAUSES] = 3;
    registers[ACKNOWLEDGE] = 0;
    registers[TAIL] = 5;
    for (u32 i = 0; i < RING; i++) {
        ring[i] = (DESCRIPTOR){.Address = 0x1000 * i, .Length = 64 + i, .Flags = (i & 3) != 3, .Id = (i * 5) & (RING - 1)};
        requests[i] = (REQUEST){.Key = i * 77};
        InsertTail(&device->Active, &requests[i].Link);
    }
}
