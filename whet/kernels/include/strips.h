// Rows of an image that pass through a buffer: of all its rows, the buffer has a few that follow
// each other, the first of them row `base`. Rows have `bytes` bytes.
#pragma once
#include "types.h"

// Where row 0 of the image would lie; only the rows that are in the buffer may be touched.
static inline void *rows_from(u8 *buffer, const long bytes, const int base) {
    return (void *)((uintptr_t)buffer - (uintptr_t)(base * bytes));
}

// Moves rows [keep, made) to the front of a buffer of rows [base, made), none where keep >= made;
// returns the new base.
static inline int keep_rows(u8 *buffer, const long bytes, const int base, const int keep,
                            const int made) {
    if (keep >= made) return made;
    if (base < keep)
        __builtin_memmove(buffer, buffer + (keep - base) * bytes, (made - keep) * bytes);
    return keep;
}
