/* The Mersenne twister MT19937 (Matsumoto and Nishimura 1998).
 *
 *   mersenne_uniform(y, n, seed, state)   f64 in [0, 1), 53 bits each; state is scratch of u32[625]
 */
#ifndef WHET_MERSENNE_H
#define WHET_MERSENNE_H
#include "types.h"

enum { MERSENNE_WORDS = 624, MERSENNE_SHIFT = 397 };

/* state[MERSENNE_WORDS] is the next word to give out. */
WHET_INLINE u32 mersenne_next(u32 *state)
{
    if (state[MERSENNE_WORDS] == MERSENNE_WORDS) {
        for (int i = 0; i < MERSENNE_WORDS; i++) {
            const u32 pair = (state[i] & 0x80000000u) |
                             (state[(i + 1) % MERSENNE_WORDS] & 0x7fffffffu);
            state[i] = state[(i + MERSENNE_SHIFT) % MERSENNE_WORDS] ^ pair >> 1 ^
                       (pair & 1u ? 0x9908b0dfu : 0u);
        }
        state[MERSENNE_WORDS] = 0;
    }
    u32 y = state[state[MERSENNE_WORDS]++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

WHET_INLINE void mersenne_uniform(double *y, const long n, const u32 seed, u32 *state)
{
    state[0] = seed;
    for (u32 i = 1; i < MERSENNE_WORDS; i++)
        state[i] = 1812433253u * (state[i - 1] ^ state[i - 1] >> 30) + i;
    state[MERSENNE_WORDS] = MERSENNE_WORDS;
    for (long i = 0; i < n; i++) {
        const u32 high = mersenne_next(state) >> 5, low = mersenne_next(state) >> 6;
        y[i] = ((double)high * 67108864.0 + (double)low) / 9007199254740992.0;
    }
}
#endif
