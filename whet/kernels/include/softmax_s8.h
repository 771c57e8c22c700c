// Softmax of a row of int8 codes in integers: the bits of whet/ops/integer/softmax8.py.
//
// exponentials: 512 bytes, the low bytes of softmax8's 256 numbers and then the high bytes.
// softmax_row_s8 gives results counted from the lowest code, xor `flip` (128 makes them codes), and
// returns their sum. n <= 4096 is a literal.
#pragma once
#include "dot8.h"

typedef unsigned char softmax_byte;

// 2^-(shift + 16) * result is factor / total / 2^16, cut to 16 bits; see reciprocal_of_sum.
INLINE unsigned softmax_reciprocal(const unsigned total, const unsigned factor, int *shift) {
    int by = 16 + __builtin_clz(factor) - __builtin_clz(total);
    unsigned r = (unsigned)(((unsigned long long)factor << by) / total);
    if (r >> 16) r >>= 1, by--;
    const int over = by > 15 ? by - 15 : 0;
    *shift = by - over;
    return r >> over;
}

#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__) && !defined(WHET_SCALAR)
// 64 bytes of a table of 256, by their place.
INLINE __m512i softmax_bytes(const softmax_byte *table, const __m512i i) {
    const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(table), i,
                                                 _mm512_loadu_si512(table + 64));
    const __m512i high = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + 128), i,
                                                  _mm512_loadu_si512(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(i), low, high);
}

INLINE s8 softmax_largest(const int n, const s8 *x) {
    __m512i most = _mm512_set1_epi8(-128);
    for (int j = 0; j < n; j += 64)
        most = _mm512_max_epi8(
            most, _mm512_mask_loadu_epi8(most, lane_mask(n - j < 64 ? n - j : 64), x + j));
    const __m256i half =
        _mm256_max_epi8(_mm512_castsi512_si256(most), _mm512_extracti64x4_epi64(most, 1));
    const __m128i quarter =
        _mm_max_epi8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    // The least of the complements, as unsigned 16-bit words.
    const __m128i least = _mm_xor_si128(quarter, _mm_set1_epi8(127));
    const __m128i words = _mm_min_epu8(least, _mm_srli_epi16(least, 8));
    return (s8)(_mm_cvtsi128_si32(_mm_minpos_epu16(words)) ^ 127);
}

INLINE int softmax_row_s8(const int n, const int flip, const unsigned factor, const s8 *x,
                          const softmax_byte *exponentials, s8 *y) {
    enum { VECTORS = 64 }; // of 64 codes
    __m512i low[VECTORS], high[VECTORS];
    const __m512i largest = _mm512_set1_epi8(softmax_largest(n, x)), ones = _mm512_set1_epi8(1);
    __m512i lows = _mm512_setzero_si512(), highs = lows, sum = lows;
    for (int j = 0; j < n; j += 64) {
        const __mmask64 lanes = lane_mask(n - j < 64 ? n - j : 64);
        const __m512i d = _mm512_sub_epi8(largest, _mm512_maskz_loadu_epi8(lanes, x + j));
        low[j / 64] = _mm512_maskz_mov_epi8(lanes, softmax_bytes(exponentials, d));
        high[j / 64] = _mm512_maskz_mov_epi8(lanes, softmax_bytes(exponentials + 256, d));
        lows = _mm512_dpbusd_epi32(lows, low[j / 64], ones);
        highs = _mm512_dpbusd_epi32(highs, high[j / 64], ones);
    }
    int shift;
    const unsigned total = (unsigned)_mm512_reduce_add_epi32(
        _mm512_add_epi32(lows, _mm512_slli_epi32(highs, 8)));
    const __m512i r = _mm512_set1_epi16((short)softmax_reciprocal(total, factor, &shift));
    const __m128i before = _mm_cvtsi32_si128(shift - 1);
    for (int j = 0; j < n; j += 64) {
        const __mmask64 lanes = lane_mask(n - j < 64 ? n - j : 64);
        __m512i a = _mm512_unpacklo_epi8(low[j / 64], high[j / 64]);
        __m512i b = _mm512_unpackhi_epi8(low[j / 64], high[j / 64]);
        a = _mm512_srl_epi16(_mm512_mulhi_epu16(a, r), before);
        b = _mm512_srl_epi16(_mm512_mulhi_epu16(b, r), before);
        a = _mm512_avg_epu16(a, _mm512_setzero_si512());
        b = _mm512_avg_epu16(b, _mm512_setzero_si512());
        const __m512i made = _mm512_packus_epi16(a, b);
        sum = _mm512_dpbusd_epi32(sum, made, ones);
        _mm512_mask_storeu_epi8(y + j, lanes, _mm512_xor_si512(made, _mm512_set1_epi8((s8)flip)));
    }
    return _mm512_reduce_add_epi32(sum);
}
#else
INLINE int softmax_row_s8(const int n, const int flip, const unsigned factor, const s8 *x,
                          const softmax_byte *exponentials, s8 *y) {
    unsigned short e[4096];
    int largest = -128, shift, sum = 0;
    unsigned total = 0;
    for (int j = 0; j < n; j++)
        largest = x[j] > largest ? x[j] : largest;
    for (int j = 0; j < n; j++) {
        const int d = largest - x[j];
        e[j] = (unsigned short)(exponentials[d] | exponentials[256 + d] << 8);
        total += e[j];
    }
    const unsigned r = softmax_reciprocal(total, factor, &shift), half = 1u << (shift - 1);
    for (int j = 0; j < n; j++) {
        const unsigned made = ((e[j] * r >> 16) + half) >> shift;
        const int least = (int)(made > 255 ? 255 : made);
        sum += least;
        y[j] = (s8)(least ^ flip);
    }
    return sum;
}
#endif

// Rows [begin, end) of x[...][n], each on its own; results are codes.
INLINE void softmax_s8(const int n, const unsigned factor, const int begin, const int end,
                       const s8 *x, const softmax_byte *exponentials, s8 *y) {
    for (long row = begin; row < end; row++)
        softmax_row_s8(n, 128, factor, x + row * n, exponentials, y + row * n);
}
