/* A thread pool without libc: the host makes the threads, each enters pool_work and stays there.
 *
 * A run wakes the workers, takes part 0 itself, and returns when all parts are done. Waiting spins for
 * at most about 100 microseconds, then sleeps in the kernel.
 *
 * Linux likes to wake a thread on the processor of the one that wakes it, where the two then take
 * turns. So each worker is given processors of its own, none of them the caller's: those that the
 * pool's maker was allowed, dealt out again where the caller has moved while they slept, or has since
 * waited long for them. The caller stays on its own while it sleeps. Where there are fewer processors
 * than threads, all run where the kernel puts them.
 */
#include <stdint.h>

typedef int (*run_part)(const void *const *inputs, void *const *outputs, void *memory,
                        const void *constants, int64_t *dims, int part, int parts, void *host);
typedef int (*run_part_static)(const void *const *inputs, void *const *outputs, void *memory,
                               const void *constants, int part, int parts, void *host);

enum {
    LINE = 64, /* bytes that processors pass to each other at once */
    MOST = 64, /* parts that get processors of their own */
    SPINS = 256, /* looks between two looks at the clock */
    SPIN_NANOSECONDS = 100000,
    PROCESSORS = 1024, /* that an affinity mask has room for */
    FUTEX_WAIT_PRIVATE = 128,
    FUTEX_WAKE_PRIVATE = 129,
    CLOCK_MONOTONIC = 1
};

#if defined(__x86_64__)
enum { FUTEX = 202, GETTID = 186, SETAFFINITY = 203, GETAFFINITY = 204, GETCPU = 309, CLOCK = 228 };
#elif defined(__aarch64__)
enum { FUTEX = 98, GETTID = 178, SETAFFINITY = 122, GETAFFINITY = 123, GETCPU = 168, CLOCK = 113 };
#endif

struct host { /* the model's struct model_host */
    void (*wait)(void *pool);
    void *pool;
    int status[2];
};

/* A counter that only grows, which threads wait for, on a line of its own. */
struct signal {
    _Alignas(LINE) int64_t count;
    int sleepers; /* threads that a wake in the kernel is for */
};

/* What every thread is given. */
struct given {
    void *function;
    const void *const *inputs;
    void *const *outputs;
    void *memory;
    const void *constants;
    int64_t *dims; /* null for a model without symbolic sizes */
};

struct mask {
    uint64_t words[PROCESSORS / 64];
};

struct pool {
    int parts;
    int stopping;
    struct host host;
    struct given given;
    _Alignas(LINE) int processor; /* the caller's when processors were last dealt out */
    int dealt; /* workers that had come by then */
    int apart; /* whether threads have processors of their own */
    int slow;  /* whether a thread waited long at a barrier since */
    int threads[MOST];
    struct mask allowed;
    struct signal come;      /* workers that have told their thread */
    struct signal runs;      /* those begun; workers wait for the next */
    struct signal arrivals;  /* at barriers: each takes as many as there are threads */
};

static long kernel(long number, long first, const void *second, const void *third)
{
#if defined(__x86_64__)
    register long none __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(none)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long name __asm__("x8") = number;
    register long a __asm__("x0") = first;
    register const void *b __asm__("x1") = second;
    register const void *c __asm__("x2") = third;
    register long d __asm__("x3") = 0;
    __asm__ volatile("svc 0" : "+r"(a) : "r"(name), "r"(b), "r"(c), "r"(d) : "memory");
    return a;
#endif
}

/* The kernel sees the low half of a count: the first in memory. */
static void futex(int64_t *count, long operation, int64_t value)
{
    kernel(FUTEX, (long)count, (void *)operation, (void *)(long)(int32_t)value);
}

static int64_t nanoseconds(void)
{
    int64_t time[2] = {0};
    kernel(CLOCK, CLOCK_MONOTONIC, time, 0);
    return time[0] * 1000000000 + time[1];
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("isb" ::: "memory");
#endif
}

static int has_come(struct signal *s, int64_t goal)
{
    for (int i = 0; i < SPINS; i++) {
        if (__atomic_load_n(&s->count, __ATOMIC_ACQUIRE) >= goal)
            return 1;
        relax();
    }
    return 0;
}

static void wake(struct signal *s)
{
    if (__atomic_load_n(&s->sleepers, __ATOMIC_SEQ_CST))
        futex(&s->count, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

static void begin_run(struct pool *p)
{
    __atomic_add_fetch(&p->runs.count, 1, __ATOMIC_SEQ_CST);
    wake(&p->runs);
}

static int contains(const struct mask *mask, int processor)
{
    return (mask->words[processor / 64] >> processor % 64) & 1;
}

static void put(struct mask *mask, int processor)
{
    mask->words[processor / 64] |= (uint64_t)1 << processor % 64;
}

static void bind(int thread, const struct mask *mask)
{
    kernel(SETAFFINITY, thread, (void *)sizeof *mask, mask);
}

static int is_caller(const struct pool *p)
{
    const int thread = (int)kernel(GETTID, 0, 0, 0);
    for (int w = 0; w < p->parts - 1; w++)
        if (p->threads[w] == thread)
            return 0;
    return 1;
}

/* Sleep until the count reaches `goal`. */
static void doze(struct pool *p, struct signal *s, int64_t goal)
{
    struct mask free = {{0}}, own = {{0}};
    const int stays = p->apart && is_caller(p)
                      && kernel(GETAFFINITY, 0, (void *)sizeof free, &free) >= 0
                      && contains(&free, p->processor);
    if (stays) {
        put(&own, p->processor);
        bind(0, &own);
    }
    __atomic_add_fetch(&s->sleepers, 1, __ATOMIC_SEQ_CST);
    for (int64_t now; (now = __atomic_load_n(&s->count, __ATOMIC_SEQ_CST)) < goal;)
        futex(&s->count, FUTEX_WAIT_PRIVATE, now);
    __atomic_sub_fetch(&s->sleepers, 1, __ATOMIC_SEQ_CST);
    if (stays)
        bind(0, &free);
}

/* Return once the count has reached `goal`. */
static void await(struct pool *p, struct signal *s, int64_t goal)
{
    for (const int64_t end = nanoseconds() + SPIN_NANOSECONDS; nanoseconds() < end;)
        if (has_come(s, goal))
            return;
    doze(p, s, goal);
}

static void barrier(void *shared)
{
    struct pool *p = shared;
    const int64_t before = __atomic_fetch_add(&p->arrivals.count, 1, __ATOMIC_SEQ_CST);
    const int64_t all = (before / p->parts + 1) * p->parts;
    if (before + 1 == all) {
        wake(&p->arrivals);
    } else if (!has_come(&p->arrivals, all)) {
        __atomic_store_n(&p->slow, 1, __ATOMIC_RELAXED);
        await(p, &p->arrivals, all);
    }
}

/* Give each of `workers` its turn of the allowed processors that are not the caller's. */
static void deal(struct pool *p, int workers)
{
    int others = 0;
    for (int i = 0; i < PROCESSORS; i++)
        others += i != p->processor && contains(&p->allowed, i);
    const int before = p->apart;
    p->apart = others >= p->parts - 1 && p->parts <= MOST;
    for (int w = 0; before && !p->apart && w < workers; w++)
        bind(p->threads[w], &p->allowed);
    if (!p->apart)
        return;
    for (int w = 0; w < workers; w++) {
        struct mask own = {{0}};
        for (int i = 0, turn = 0; i < PROCESSORS; i++)
            if (i != p->processor && contains(&p->allowed, i) && turn++ % (p->parts - 1) == w)
                put(&own, i);
        bind(p->threads[w], &own);
    }
}

/* Keep the workers off the processor that the caller runs on now. It may have moved where workers
 * have slept since the run before; where it shared a processor in that run, waits were long. */
static void keep_apart(struct pool *p)
{
    unsigned processor = 0;
    const int come = (int)__atomic_load_n(&p->come.count, __ATOMIC_ACQUIRE);
    if (come == p->dealt && !__atomic_load_n(&p->slow, __ATOMIC_RELAXED)
        && !__atomic_load_n(&p->runs.sleepers, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&p->slow, 0, __ATOMIC_RELAXED);
    if (kernel(GETCPU, (long)&processor, 0, 0) < 0 || processor >= PROCESSORS)
        return;
    if ((int)processor == p->processor && come == p->dealt)
        return;
    p->processor = (int)processor;
    p->dealt = come;
    if (come == p->parts - 1)
        deal(p, come);
}

static void take_part(struct pool *p, int part)
{
    const struct given *g = &p->given;
    if (g->dims)
        ((run_part)g->function)(g->inputs, g->outputs, g->memory, g->constants, g->dims, part,
                                p->parts, &p->host);
    else
        ((run_part_static)g->function)(g->inputs, g->outputs, g->memory, g->constants, part,
                                       p->parts, &p->host);
    barrier(p);
}

static int is_same(const struct given *a, const struct given *b)
{
    return a->function == b->function && a->inputs == b->inputs && a->outputs == b->outputs
           && a->memory == b->memory && a->constants == b->constants && a->dims == b->dims;
}

int pool_bytes(void) { return (int)sizeof(struct pool); }

/* `memory`: pool_bytes() zeroed bytes that outlive every thread. */
void pool_start(void *memory, int parts)
{
    struct pool *p = memory;
    p->parts = parts;
    p->host.wait = barrier;
    p->host.pool = p;
    p->processor = -1;
    if (kernel(GETAFFINITY, 0, (void *)sizeof p->allowed, &p->allowed) < 0)
        p->allowed = (struct mask){{0}};
}

/* Once all workers have been started: wait for them, and give them processors of their own. A new
 * thread may be on the caller's, where it would wait for the first run's caller to sleep. */
void pool_meet(void *memory)
{
    struct pool *p = memory;
    doze(p, &p->come, p->parts - 1);
    keep_apart(p);
}

/* The life of worker `part`, 1 to parts - 1: returns after pool_stop. */
void pool_work(void *memory, int part)
{
    struct pool *p = memory;
    if (part <= MOST)
        p->threads[part - 1] = (int)kernel(GETTID, 0, 0, 0);
    __atomic_add_fetch(&p->come.count, 1, __ATOMIC_SEQ_CST);
    wake(&p->come);
    for (int64_t run = 1;; run++) {
        if (!has_come(&p->runs, run))
            await(p, &p->runs, run);
        if (__atomic_load_n(&p->stopping, __ATOMIC_ACQUIRE))
            return;
        take_part(p, part);
    }
}

/* Writes only what changed since the run before: lines that others have read stay with them. */
int pool_run(void *memory, void *function, const void *const *inputs, void *const *outputs,
             void *arena, const void *constants, int64_t *dims)
{
    struct pool *p = memory;
    const struct given given = {function, inputs, outputs, arena, constants, dims};
    if (!is_same(&p->given, &given))
        p->given = given;
    if (p->host.status[0] | p->host.status[1])
        p->host.status[0] = p->host.status[1] = 0;
    keep_apart(p);
    begin_run(p);
    take_part(p, 0);
    return p->host.status[0] | p->host.status[1];
}

void pool_stop(void *memory)
{
    struct pool *p = memory;
    __atomic_store_n(&p->stopping, 1, __ATOMIC_RELEASE);
    begin_run(p);
}
