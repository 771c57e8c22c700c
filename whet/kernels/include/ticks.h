// A clock that all processors share and that counts evenly, in ticks of its own; read once all that
// was begun before is done.
#pragma once
#include "types.h"

static inline i64 ticks(void) {
    __asm__ volatile("" ::: "memory");
#if defined(__x86_64__)
    unsigned processor;
    const i64 now = (i64)__builtin_ia32_rdtscp(&processor);
#elif defined(__aarch64__)
    i64 now;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now));
#else
#error "no clock is known for this processor"
#endif
    __asm__ volatile("" ::: "memory");
    return now;
}
