/*
 * unicorn.c runs the kernels of ../kernels/kernels.c under Unicorn and prints a
 * line for each: its name, accesses of one call to memory that is not the stack,
 * and nanoseconds of processor time of one call, the best of some, without a hook
 * and with a hook in C on every access. compare.sh builds and runs it. (It
 * counts no instructions: the code hook of Unicorn 2.0.1 misses some.)
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unicorn/unicorn.h>

enum { PAGE = 0x1000, REPEAT = 99 };
#define CODE 0x10000000ull
#define DATA 0x20000000ull
#define DATA_SIZE (64ull * PAGE)
#define STACK 0x30000000ull
#define STACK_SIZE (4ull * PAGE)
#define STOP (CODE + PAGE - 16)
#define PAGE_OF_DATA(n) (DATA + (n) * PAGE)

/* Entries of kernels.c. */
enum { INIT, ALU, COPY, FIB, ISR_LOOP, SCEN };

/* The kernels with the arguments that ../kernels.go gives them. */
static const struct {
    const char *name;
    int entry;
    uint64_t args[4];
} kernels[] = {
    {"alu", ALU, {5000}},
    {"copy", COPY, {PAGE_OF_DATA(16), PAGE_OF_DATA(32), 512, 10}},
    {"fib", FIB, {15}},
    {"isr", ISR_LOOP, {1000, DATA}},
    {"scen", SCEN, {200, DATA}},
};

static uint64_t accesses;

static void check(uc_err e, const char *what)
{
    if (e != UC_ERR_OK) {
        fprintf(stderr, "unicorn.c: %s: %s\n", what, uc_strerror(e));
        exit(1);
    }
}
#define CHECK(call) check(call, #call)

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* on_access does the least that a race detector needs: it keeps the access. */
static struct {
    uint64_t address;
    uint32_t size, type;
} records[4096];

static void on_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value, void *data)
{
    (void)uc, (void)value, (void)data;
    if (address - STACK < STACK_SIZE) {
        return;
    }
    records[accesses % 4096].address = address;
    records[accesses % 4096].size = (uint32_t)size;
    records[accesses % 4096].type = (uint32_t)type;
    accesses++;
}

static uint64_t call(uc_engine *uc, int entry, const uint64_t args[4])
{
    static int numbers[] = {UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_RSP};
    uint64_t sp = STACK + STACK_SIZE - 0x48, stop = STOP, a[4] = {args[0], args[1], args[2], args[3]}, result;
    void *values[] = {&a[0], &a[1], &a[2], &a[3], &sp};

    CHECK(uc_mem_write(uc, sp, &stop, sizeof stop));
    CHECK(uc_reg_write_batch(uc, numbers, values, 5));
    CHECK(uc_emu_start(uc, CODE + 8 * (uint64_t)entry, STOP, 0, 0));
    CHECK(uc_reg_read(uc, UC_X86_REG_RAX, &result));
    return result;
}

static uc_engine *new_engine(const uint8_t *code, size_t size)
{
    static const uint64_t init[] = {PAGE_OF_DATA(0), PAGE_OF_DATA(1), PAGE_OF_DATA(2), PAGE_OF_DATA(3)};
    uc_engine *uc;

    CHECK(uc_open(UC_ARCH_X86, UC_MODE_64, &uc));
    CHECK(uc_mem_map(uc, CODE, PAGE, UC_PROT_READ | UC_PROT_EXEC));
    CHECK(uc_mem_write(uc, CODE, code, size));
    CHECK(uc_mem_map(uc, DATA, DATA_SIZE, UC_PROT_READ | UC_PROT_WRITE));
    CHECK(uc_mem_map(uc, STACK, STACK_SIZE, UC_PROT_READ | UC_PROT_WRITE));
    call(uc, INIT, init);
    return uc;
}

/* best returns the shortest time of some calls of a kernel. */
static double best(uc_engine *uc, int entry, const uint64_t args[4])
{
    double least = 1e9;

    for (int i = 0; i < REPEAT + 1; i++) { /* the first one translates */
        double t = now();

        call(uc, entry, args);
        t = now() - t;
        if (t < least) {
            least = t;
        }
    }
    return least;
}

int main(int argc, char **argv)
{
    static uint8_t code[PAGE];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t size = f != NULL ? fread(code, 1, sizeof code, f) : 0;

    if (size == 0 || size == sizeof code) {
        fprintf(stderr, "usage: unicorn kernels.bin\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        uc_engine *uc = new_engine(code, size);
        uc_hook hook;
        uint64_t result;
        double plain, hooked;

        accesses = 0;
        CHECK(uc_hook_add(uc, &hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, (void *)on_access, NULL, 1, 0));
        result = call(uc, kernels[i].entry, kernels[i].args);
        printf("%s %lu ", kernels[i].name, (unsigned long)accesses);
        uc_close(uc);

        uc = new_engine(code, size);
        if (call(uc, kernels[i].entry, kernels[i].args) != result) {
            fprintf(stderr, "unicorn.c: %s gives different results\n", kernels[i].name);
            return 1;
        }
        plain = best(uc, kernels[i].entry, kernels[i].args);
        uc_close(uc);
        uc = new_engine(code, size);
        CHECK(uc_hook_add(uc, &hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, (void *)on_access, NULL, 1, 0));
        hooked = best(uc, kernels[i].entry, kernels[i].args);
        uc_close(uc);
        printf("%.0f %.0f\n", plain * 1e9, hooked * 1e9);
        fflush(stdout);
    }
    return 0;
}
