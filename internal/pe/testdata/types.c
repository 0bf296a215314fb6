// A driver with variables of many types. See build.sh and types_test.go.

typedef unsigned char UCHAR;
typedef unsigned short USHORT;
typedef unsigned int ULONG;
typedef unsigned long long ULONG64;
typedef int NTSTATUS;
typedef void *PVOID;

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY;

struct COUNTERS {
    ULONG Sent, Received;
    volatile ULONG Lost[3][4];
};

typedef enum { StateIdle, StateBusy } STATE;

typedef struct _DEVICE_CONTEXT {
    LIST_ENTRY Head;
    struct COUNTERS Counters[2];
    ULONG Ready : 1; // at 128
    ULONG Gone : 1;
    ULONG Reason : 14;
    ULONG : 8;
    ULONG Tries : 8;
    volatile STATE State;
    union {
        ULONG64 All;
        struct {
            ULONG Low, High;
        };
        UCHAR Bytes[8];
    } Address;
    union { // anonymous
        PVOID Buffer;
        ULONG64 Handle;
    };
    UCHAR Flag; // and padding behind it
    ULONG64 Last;
    const struct _DEVICE_CONTEXT *Next;
    UCHAR Data[];
} DEVICE_CONTEXT;

extern DEVICE_CONTEXT Declared;
DEVICE_CONTEXT Declared;
static struct COUNTERS Totals[4];
volatile ULONG64 Single = 7;
static DEVICE_CONTEXT *Pointer;

__declspec(dllimport) ULONG DbgPrint(const char *format, ...);

NTSTATUS DriverEntry(PVOID driver, PVOID path) {
    static ULONG Calls;
    Pointer = &Declared;
    Totals[Calls++ & 3].Sent += (ULONG)Single;
    Declared.Counters[1].Lost[2][Calls & 3]++;
    DbgPrint("%p %p %u %u\n", driver, path, Totals[Calls & 3].Sent, Pointer->Counters[Calls & 1].Lost[2][1]);
    return 0;
}
