/* A thread pool without libc: the host makes the threads, each enters pool_work and stays there.
 *
 * A run wakes the workers, takes part 0 itself, and returns when all parts are done. Waiting spins for
 * at most about 100 microseconds, then sleeps in the kernel.
 */
#include <stdint.h>

typedef int (*run_part)(const void *const *inputs, void *const *outputs, void *memory,
                        const void *constants, int64_t *dims, int part, int parts, void *host);
typedef int (*run_part_static)(const void *const *inputs, void *const *outputs, void *memory,
                               const void *constants, int part, int parts, void *host);

struct host {
    void (*wait)(void *pool);
    void *pool;
    int status;
};

struct pool {
    int parts;
    int generation; /* counts runs; workers wait for it to move */
    int stopping;
    int arrived; /* threads at the barrier */
    int phase;   /* counts barriers passed */
    struct host host;
    void *function;
    const void *const *inputs;
    void *const *outputs;
    void *memory;
    const void *constants;
    int64_t *dims; /* null for a model without symbolic sizes */
};

enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129, SPINS = 2000 };

static void futex(int *word, int operation, int value)
{
#if defined(__x86_64__)
    register long timeout __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(202L), "D"(word), "S"((long)operation), "d"((long)value), "r"(timeout)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = 98;
    register long a __asm__("x0") = (long)word;
    register long b __asm__("x1") = operation;
    register long c __asm__("x2") = value;
    register long d __asm__("x3") = 0;
    __asm__ volatile("svc 0" : "+r"(a) : "r"(number), "r"(b), "r"(c), "r"(d) : "memory");
#endif
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

/* Return once *word differs from `old`. */
static void await(int *word, int old)
{
    for (int i = 0; i < SPINS; i++) {
        if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old)
            return;
        relax();
    }
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old)
        futex(word, FUTEX_WAIT_PRIVATE, old);
}

static void advance(int *word)
{
    __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
    futex(word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

static void barrier(void *shared)
{
    struct pool *p = shared;
    const int phase = __atomic_load_n(&p->phase, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&p->arrived, 1, __ATOMIC_ACQ_REL) == p->parts) {
        __atomic_store_n(&p->arrived, 0, __ATOMIC_RELEASE);
        advance(&p->phase);
    } else {
        await(&p->phase, phase);
    }
}

static void take_part(struct pool *p, int part)
{
    if (p->dims)
        ((run_part)p->function)(p->inputs, p->outputs, p->memory, p->constants, p->dims, part,
                                p->parts, &p->host);
    else
        ((run_part_static)p->function)(p->inputs, p->outputs, p->memory, p->constants, part,
                                       p->parts, &p->host);
    barrier(p);
}

int pool_bytes(void) { return (int)sizeof(struct pool); }

/* `memory`: pool_bytes() zeroed bytes that outlive every thread. */
void pool_start(void *memory, int parts)
{
    struct pool *p = memory;
    p->parts = parts;
    p->host.wait = barrier;
    p->host.pool = p;
}

/* The life of worker `part`, 1 to parts - 1: returns after pool_stop. */
void pool_work(void *memory, int part)
{
    struct pool *p = memory;
    for (int seen = 0;; seen++) {
        await(&p->generation, seen);
        if (__atomic_load_n(&p->stopping, __ATOMIC_ACQUIRE))
            return;
        take_part(p, part);
    }
}

int pool_run(void *memory, void *function, const void *const *inputs, void *const *outputs,
             void *arena, const void *constants, int64_t *dims)
{
    struct pool *p = memory;
    p->function = function;
    p->inputs = inputs;
    p->outputs = outputs;
    p->memory = arena;
    p->constants = constants;
    p->dims = dims;
    p->host.status = 0;
    advance(&p->generation);
    take_part(p, 0);
    return p->host.status;
}

void pool_stop(void *memory)
{
    struct pool *p = memory;
    __atomic_store_n(&p->stopping, 1, __ATOMIC_RELEASE);
    advance(&p->generation);
}
