// x86-64 with AVX-512BW: vpdpbusd where there is VNNI, else exact 16-bit products (vpmaddubsw
// saturates).
#pragma once
#include <immintrin.h>

INLINE __mmask64 lane_mask(const int n) { return n >= 64 ? ~0ull : (1ull << n) - 1; }
INLINE __m512i quad_broadcast(const s8 *p, const int n) {
    int q = 0;
    if (n == 4)
        __builtin_memcpy(&q, p, 4);
    else
        UNROLL(i, n) q |= (unsigned char)p[i] << 8 * i;
    return _mm512_set1_epi32(q);
}
INLINE __m512i quad_transpose(const s8 *const *p, const int n) {
    const __mmask16 m = (__mmask16)lane_mask(n);
    __m512i v = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(m, p[0]));
    v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(m, p[1]), 1);
    v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(m, p[2]), 2);
    v = _mm512_inserti32x4(v, _mm_maskz_loadu_epi8(m, p[3]), 3);
#if defined(__AVX512VBMI__)
    const __m512i ramp = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i from = _mm512_or_si512(_mm512_mullo_epi32(ramp, _mm512_set1_epi32(0x01010101)),
                                         _mm512_set1_epi32(0x30201000));
    return _mm512_permutexvar_epi8(from, v);
#else
    const __m512i quads = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m128i bytes = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(quads, v), _mm512_broadcast_i32x4(bytes));
#endif
}

#if defined(__AVX512VNNI__)
#define DOT8_SHIFT 128
typedef __m512i vq;
typedef __m512i vw;
INLINE vq quad_of(__m512i bytes) {
    __m512i sign = _mm512_set1_epi8(-128);
    __asm__("" : "+v"(sign)); // opaque, so that the load broadcasts: one vpxord for both
    return _mm512_xor_si512(bytes, sign);
}
INLINE vw quad_load(const s8 *w) { return _mm512_loadu_si512(w); }
INLINE vq quad_set(const s8 *p, const int n, const int ready) {
    return ready ? quad_broadcast(p, n) : quad_of(quad_broadcast(p, n));
}
INLINE vi dot4(vi acc, vq a, vw w) { return (vi)_mm512_dpbusd_epi32((__m512i)acc, a, w); }
#define DOT8_JOIN
INLINE vq quads_join(vq a, vq b, const int n) {
    return n == 4    ? _mm512_alignr_epi32(b, a, 4)
           : n == 8  ? _mm512_alignr_epi32(b, a, 8)
                     : _mm512_alignr_epi32(b, a, 12);
}
INLINE vq quads_set(const s8 *p) { return quad_of(_mm512_loadu_si512(p)); }
INLINE vq quad_interleave(const s8 *const *p, const int n) { return quad_of(quad_transpose(p, n)); }
#else
typedef __m512i vq_part;
INLINE vq_part part_all(const int pair) { return _mm512_set1_epi32(pair); }
INLINE vq_part part_ready(const s8 *p) { return _mm512_loadu_si512(p); }
INLINE vq_part part_of(__m256i bytes) { return _mm512_cvtepi8_epi16(bytes); }
INLINE vq_part part_widen(const s8 *p) { return part_of(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vq_part part_interleave(const s8 *p, const s8 *q, const int n) {
    const __mmask16 m = (__mmask16)lane_mask(n);
    const __m128i a = _mm_maskz_loadu_epi8(m, p), b = _mm_maskz_loadu_epi8(m, q);
    return part_of(_mm256_set_m128i(_mm_unpackhi_epi8(a, b), _mm_unpacklo_epi8(a, b)));
}
INLINE vi part_dot(vi acc, vq_part a, vq_part w) { return acc + (vi)_mm512_madd_epi16(a, w); }
#include "dot8_pairs.h"
#endif

INLINE vi load_s8(const s8 *p, const int n) {
    return (vi)_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8((__mmask16)lane_mask(n), p));
}

INLINE vi mul_high(vi a, vi m) {
    const __m512i even = _mm512_mul_epi32((__m512i)a, (__m512i)m);
    const __m512 a_odd = _mm512_movehdup_ps((__m512)a), m_odd = _mm512_movehdup_ps((__m512)m);
    __m512i high = _mm512_mul_epi32((__m512i)a_odd, (__m512i)m_odd);
    // The compiler would make this a permutation of two sources, which is dearer.
    __asm__("vmovshdup %1, %0%{%2%}" : "+v"(high) : "v"(even), "Yk"((__mmask16)0x5555));
    return (vi)high;
}

#define DOT8_ROUNDED
INLINE vi mul_rounded(vi a, vi m) {
    const __m512i half = _mm512_set1_epi64(1 << 30);
    __asm__("" : "+v"(m)); // opaque, lest the products become those of 64 bits, which are dearer
    const __m512 a_odd = _mm512_movehdup_ps((__m512)a), m_odd = _mm512_movehdup_ps((__m512)m);
    const __m512i even = _mm512_mul_epi32((__m512i)a, (__m512i)m);
    const __m512i odd = _mm512_mul_epi32((__m512i)a_odd, (__m512i)m_odd);
    return (vi)_mm512_mask_mov_epi32(_mm512_srli_epi64(_mm512_add_epi64(even, half), 31), 0xaaaa,
                                     _mm512_slli_epi64(_mm512_add_epi64(odd, half), 1));
}
#define DOT8_WORDS
INLINE vi pair_dot(vi a, vi b) { return (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b); }
INLINE vi table_words(const int *table, vi i) {
    return (vi)_mm512_i32gather_epi32((__m512i)i, table, 4);
}

#if defined(__AVX512VBMI__)
#define DOT8_TABLE
INLINE vi table_s8(vi x, const s8 *table) {
    const __m512i i = (__m512i)x, low = _mm512_loadu_si512(table + 128);
    const __m512i positive = _mm512_permutex2var_epi8(low, i, _mm512_loadu_si512(table + 192));
    const __m512i negative =
        _mm512_permutex2var_epi8(_mm512_loadu_si512(table), i, _mm512_loadu_si512(table + 64));
    const __mmask16 below = _mm512_movepi32_mask(i);
    return (vi)_mm512_mask_blend_epi32(below, positive, negative) << 24 >> 24;
}
#endif

INLINE __m512i clamp_bytes(__m512i y, const int low, const int high) {
    if (low > -128) y = _mm512_max_epi8(y, _mm512_set1_epi8((s8)low));
    return high < 127 ? _mm512_min_epi8(y, _mm512_set1_epi8((s8)high)) : y;
}
// The first `n` bytes of y, clamped.
INLINE void store_bytes(s8 *p, __m512i y, const int n, const int low, const int high) {
    y = clamp_bytes(y, low, high);
    if (n == 64)
        _mm512_storeu_si512(p, y);
    else if (n == 32)
        _mm256_storeu_si256((__m256i *)p, _mm512_castsi512_si256(y));
    else if (n == 16)
        _mm_storeu_si128((__m128i *)p, _mm512_castsi512_si128(y));
    else if (n < 16)
        _mm_mask_storeu_epi8(p, (__mmask16)lane_mask(n), _mm512_castsi512_si128(y));
    else
        _mm512_mask_storeu_epi8(p, lane_mask(n), y);
}
INLINE __m512i quads_in_order(__m512i y) {
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), y);
}
INLINE __m512i quads_of_bytes(vi a, vi b, vi c, vi d) {
    return _mm512_packs_epi16(_mm512_packs_epi32((__m512i)a, (__m512i)b),
                              _mm512_packs_epi32((__m512i)c, (__m512i)d));
}
INLINE __m512i bytes_in_order(vi a, vi b, vi c, vi d) {
    return quads_in_order(quads_of_bytes(a, b, c, d));
}
INLINE void store_s8(s8 *p, const vi *v, const int NV, const int n, const int low, const int high) {
    const int fours = NV / 4, rest = NV % 4;
    UNROLL(f, fours)
        store_bytes(p + f * 64, bytes_in_order(v[4 * f], v[4 * f + 1], v[4 * f + 2], v[4 * f + 3]),
                    rest || f < fours - 1 ? 64 : 48 + n, low, high);
    p += fours * 64, v += fours * 4;
    if (rest == 3)
        store_bytes(p, bytes_in_order(v[0], v[1], v[2], v[2]), 32 + n, low, high);
    else
        UNROLL(i, rest)
            store_bytes(p + i * VL, _mm512_castsi128_si512(_mm512_cvtsepi32_epi8((__m512i)v[i])),
                        i < rest - 1 ? VL : n, low, high);
}

#define DOT8_STORE_LOW
// Of N <= 4 vectors v the low half of each lane, saturated: in each 128 bits the bytes of v[0] and
// v[2] by turns, then those of v[1] and v[3].
INLINE __m512i low_bytes(const vi *v, const int N) {
    const __m512i a = (__m512i)v[0], b = (__m512i)v[N > 1 ? 1 : 0], c = (__m512i)v[N > 2 ? 2 : 0];
    const __m512i y = _mm512_packs_epi16(a, b);
    if (N <= 2) return y;
    const __m512i odd = _mm512_packs_epi16(c, (__m512i)v[N > 3 ? 3 : 2]);
    return _mm512_mask_blend_epi8(0xaaaaaaaaaaaaaaaa, y, _mm512_slli_epi16(odd, 8));
}
INLINE __m512i quads_of_low_bytes(__m512i y) {
    const __m128i from = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return _mm512_shuffle_epi8(y, _mm512_broadcast_i32x4(from));
}
INLINE __m512i low_bytes_in_order(__m512i y) {
#if defined(__AVX512VBMI__)
    const vi first = {0, 16, 32, 48, 8, 24, 40, 56, 1, 17, 33, 49, 9, 25, 41, 57};
    return _mm512_permutexvar_epi8((__m512i)(first * 0x01010101 + 0x06040200), y);
#else
    return quads_in_order(quads_of_low_bytes(y));
#endif
}
INLINE void store_low_s8(s8 *p, const vi *v, const int NV, const int n, const int low,
                         const int high) {
    const int fours = NV / 4, rest = NV % 4;
    UNROLL(f, fours)
        store_bytes(p + f * 64, low_bytes_in_order(low_bytes(v + 4 * f, 4)),
                    rest || f < fours - 1 ? 64 : 48 + n, low,
                    high);
    if (rest)
        store_bytes(p + fours * 64, low_bytes_in_order(low_bytes(v + 4 * fours, rest)),
                    (rest - 1) * 16 + n, low, high);
}
// Four bytes of each of 4 vectors by turns.
INLINE __m512i quads_in_turn(const vi *v, const int OUT) {
    return OUT == 2 ? quads_of_low_bytes(low_bytes(v, 4)) : quads_of_bytes(v[0], v[1], v[2], v[3]);
}
#define DOT8_STORE_ROWS
// 4 rows of one vector, of n lanes.
INLINE void store_rows_s8(s8 *p, const long ldp, const vi *v, const int n, const int OUT,
                          const int low, const int high) {
    if (n == 8 && ldp == 8) {
        const __m512i quads = quads_in_turn(v, OUT);
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        const __m512i first = _mm512_permutexvar_epi32(_mm512_castsi256_si512(order), quads);
        store_bytes(p, first, 32, low, high);
        return;
    }
    const __m512i y = clamp_bytes(OUT == 2 ? low_bytes_in_order(low_bytes(v, 4))
                                           : bytes_in_order(v[0], v[1], v[2], v[3]), low, high);
    const __m128i row[4] = {_mm512_castsi512_si128(y), _mm512_extracti32x4_epi32(y, 1),
                            _mm512_extracti32x4_epi32(y, 2), _mm512_extracti32x4_epi32(y, 3)};
    UNROLL(i, 4) {
        if (n == 16)
            _mm_storeu_si128((__m128i *)(p + i * ldp), row[i]);
        else
            _mm_mask_storeu_epi8(p + i * ldp, (__mmask16)lane_mask(n), row[i]);
    }
}

#define DOT8_WIDE
INLINE __m256i wide_half(const s8 *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE __m128i wide_quarter(const s8 *p) { return _mm_loadu_si128((const __m128i *)p); }
INLINE __m128i wide_eighths(const s8 *p, const s8 *q) {
    const __m128i low = _mm_loadl_epi64((const __m128i *)p);
    return _mm_unpacklo_epi64(low, _mm_loadl_epi64((const __m128i *)q));
}
// Every second pixel of a run that begins at p.
INLINE __m512i wide_even(const s8 *p, const int pixels, const int size) {
    long long from[8]; // words of the run, or from 8 on of what begins pixels - 1 later
    UNROLL(w, 8) {
        const int pixel = 2 * (w * 8 / size), part = w % (size / 8);
        from[w] = (pixel < pixels ? pixel : 8 * 8 / size + pixel - pixels + 1) * (size / 8) + part;
    }
    return _mm512_permutex2var_epi64(_mm512_loadu_si512(p), _mm512_loadu_si512(from),
                                     _mm512_loadu_si512(p + (pixels - 1) * size));
}
INLINE __m512i wide_bytes(const s8 *const *p, const int pixels, const int size, const int even) {
    if (even) return wide_even(p[0], pixels, size);
    if (pixels == 1 && size == 64) return _mm512_loadu_si512(p[0]);
    if (pixels == 1) return _mm512_maskz_loadu_epi8(lane_mask(size), p[0]);
    if (pixels == 2)
        return _mm512_inserti64x4(_mm512_castsi256_si512(wide_half(p[0])), wide_half(p[1]), 1);
    const int each = pixels / 4; // pixels of a quarter
    __m128i part[4];
    UNROLL(i, 4) part[i] =
        each == 1 ? wide_quarter(p[i]) : wide_eighths(p[each * i], p[each * i + 1]);
    __m512i v = _mm512_castsi128_si512(part[0]);
    v = _mm512_inserti32x4(v, part[1], 1);
    v = _mm512_inserti32x4(v, part[2], 2);
    return _mm512_inserti32x4(v, part[3], 3);
}
INLINE void quad_interleave_wide(const s8 *const (*p)[WIDE_PIXELS], const int pixels,
                                 const int size, const int even, vq *q) {
    const __m512i a = wide_bytes(p[0], pixels, size, even);
    const __m512i b = wide_bytes(p[1], pixels, size, even);
    const __m512i c = wide_bytes(p[2], pixels, size, even);
    const __m512i d = wide_bytes(p[3], pixels, size, even);
    const __m512i ab = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
    const __m512i cd = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
#if DOT8_PAIRS
    const __m512i pairs[2][2] = {{ab, ab_high}, {cd, cd_high}}, zero = _mm512_setzero_si512();
    UNROLL(i, 2) UNROLL(j, 4) {
        const __m512i v = pairs[i][j / 2];
        const __m512i high = j % 2 ? _mm512_unpackhi_epi8(zero, v) : _mm512_unpacklo_epi8(zero, v);
        q[j].part[i] = _mm512_srai_epi16(high, 8);
    }
#else
    q[0] = quad_of(_mm512_unpacklo_epi16(ab, cd));
    q[1] = quad_of(_mm512_unpackhi_epi16(ab, cd));
    q[2] = quad_of(_mm512_unpacklo_epi16(ab_high, cd_high));
    q[3] = quad_of(_mm512_unpackhi_epi16(ab_high, cd_high));
#endif
}
INLINE void store_wide_s8(s8 *p, const vi *v, const int OUT, const int low, const int high) {
    store_bytes(p, quads_in_turn(v, OUT), 64, low, high);
}
