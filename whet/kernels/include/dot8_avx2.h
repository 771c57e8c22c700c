// x86-64 with AVX2: exact 16-bit products (vpmaddubsw saturates), or vpdpbusd where AVX-VNNI
// exists.
#pragma once
#include <immintrin.h>

INLINE __m128i bytes_load(const s8 *p, const int n) { // n <= 8
    long long q = 0;
    if (n == 8) return _mm_loadl_epi64((const __m128i *)p);
    UNROLL(i, n) q |= (long long)(unsigned char)p[i] << 8 * i;
    return _mm_cvtsi64_si128(q);
}

#if defined(__AVXVNNI__)
#define DOT8_SHIFT 128
typedef __m256i vq;
typedef __m256i vw;
INLINE __m256i quad_broadcast(const s8 *p, const int n) {
    int q = 0;
    if (n == 4)
        __builtin_memcpy(&q, p, 4);
    else
        UNROLL(i, n) q |= (unsigned char)p[i] << 8 * i;
    return _mm256_set1_epi32(q);
}
INLINE vq quad_of(__m256i bytes) { return _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)); }
INLINE vw quad_load(const s8 *w) { return _mm256_loadu_si256((const __m256i *)w); }
INLINE vq quad_set(const s8 *p, const int n, const int ready) {
    return ready ? quad_broadcast(p, n) : quad_of(quad_broadcast(p, n));
}
INLINE vq quads_set(const s8 *p) { return quad_of(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vq quad_interleave(const s8 *const *p, const int n) {
    const __m128i a = _mm_unpacklo_epi8(bytes_load(p[0], n), bytes_load(p[1], n));
    const __m128i b = _mm_unpacklo_epi8(bytes_load(p[2], n), bytes_load(p[3], n));
    return quad_of(_mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b)));
}
INLINE vi dot4(vi acc, vq a, vw w) { return (vi)_mm256_dpbusd_avx_epi32((__m256i)acc, a, w); }
#else
typedef __m256i vq_part;
INLINE vq_part part_all(const int pair) { return _mm256_set1_epi32(pair); }
INLINE vq_part part_ready(const s8 *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE vq_part part_of(__m128i bytes) { return _mm256_cvtepi8_epi16(bytes); }
INLINE vq_part part_widen(const s8 *p) { return part_of(_mm_loadu_si128((const __m128i *)p)); }
INLINE vq_part part_interleave(const s8 *p, const s8 *q, const int n) {
    return part_of(_mm_unpacklo_epi8(bytes_load(p, n), bytes_load(q, n)));
}
INLINE vi part_dot(vi acc, vq_part a, vq_part w) { return acc + (vi)_mm256_madd_epi16(a, w); }
#include "dot8_pairs.h"
#endif

INLINE vi load_s8(const s8 *p, const int n) { return (vi)_mm256_cvtepi8_epi32(bytes_load(p, n)); }

INLINE vi mul_high(vi a, vi m) {
    const __m256i even = _mm256_mul_epi32((__m256i)a, (__m256i)m);
    const __m256 a_odd = _mm256_movehdup_ps((__m256)a), m_odd = _mm256_movehdup_ps((__m256)m);
    const __m256i odd = _mm256_mul_epi32((__m256i)a_odd, (__m256i)m_odd);
    return (vi)_mm256_blend_epi32((__m256i)_mm256_movehdup_ps((__m256)even), odd, 0xaa);
}

#define DOT8_ROUNDED
INLINE vi mul_rounded(vi a, vi m) {
    const __m256i half = _mm256_set1_epi64x(1 << 30);
    const __m256 a_odd = _mm256_movehdup_ps((__m256)a), m_odd = _mm256_movehdup_ps((__m256)m);
    const __m256i even = _mm256_mul_epi32((__m256i)a, (__m256i)m);
    const __m256i odd = _mm256_mul_epi32((__m256i)a_odd, (__m256i)m_odd);
    return (vi)_mm256_blend_epi32(_mm256_srli_epi64(_mm256_add_epi64(even, half), 31),
                                  _mm256_slli_epi64(_mm256_add_epi64(odd, half), 1), 0xaa);
}
#define DOT8_WORDS
INLINE vi pair_dot(vi a, vi b) { return (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b); }
INLINE vi table_words(const int *table, vi i) {
    return (vi)_mm256_i32gather_epi32(table, (__m256i)i, 4);
}

INLINE void store_s8(s8 *p, const vi *v, const int NV, const int n, const int low, const int high) {
    UNROLL(j, NV) {
        const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v[j]),
                                             _mm256_extracti128_si256((__m256i)v[j], 1));
        __m128i y = _mm_packs_epi16(half, half);
        if (low > -128) y = _mm_max_epi8(y, _mm_set1_epi8((s8)low));
        if (high < 127) y = _mm_min_epi8(y, _mm_set1_epi8((s8)high));
        const long long q = _mm_cvtsi128_si64(y);
        if (j < NV - 1 || n == VL)
            __builtin_memcpy(p + j * VL, &q, 8);
        else
            UNROLL(l, n) p[j * VL + l] = (s8)(q >> 8 * l);
    }
}

#define DOT8_STORE_FOUR
// The codes of 4 vectors, one after the other.
INLINE __m256i four_codes(const vi *v, const int OUT, const int low, const int high) {
    const __m256i a = (__m256i)v[0], b = (__m256i)v[1], c = (__m256i)v[2], d = (__m256i)v[3];
    __m256i y;
    if (OUT == 2) { // low halves by turns; then the bytes of 4 lanes of each vector together
        const __m256i ab = _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa);
        const __m256i cd = _mm256_blend_epi16(c, _mm256_slli_epi32(d, 16), 0xaa);
        const __m128i from = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
        y = _mm256_shuffle_epi8(_mm256_packs_epi16(ab, cd), _mm256_broadcastsi128_si256(from));
    } else
        y = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    if (low > -128) y = _mm256_max_epi8(y, _mm256_set1_epi8((s8)low));
    if (high < 127) y = _mm256_min_epi8(y, _mm256_set1_epi8((s8)high));
    return _mm256_permutevar8x32_epi32(y, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
// 4 vectors to `at`, VL bytes each; RUN of them are one run of bytes.
INLINE void store_four_s8(s8 *const *at, const int RUN, const vi *v, const int OUT, const int low,
                          const int high) {
    const __m256i y = four_codes(v, OUT, low, high);
    const __m128i first = _mm256_castsi256_si128(y), second = _mm256_extracti128_si256(y, 1);
    if (RUN == 4) {
        _mm256_storeu_si256((__m256i *)at[0], y);
    } else if (RUN == 2) {
        _mm_storeu_si128((__m128i *)at[0], first);
        _mm_storeu_si128((__m128i *)at[2], second);
    } else {
        _mm_storel_epi64((__m128i *)at[0], first);
        _mm_storeh_pd((double *)at[1], (__m128d)first);
        _mm_storel_epi64((__m128i *)at[2], second);
        _mm_storeh_pd((double *)at[3], (__m128d)second);
    }
}
