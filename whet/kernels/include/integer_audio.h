/* The fixed-point audio front end, portable scalar C: the bits of whet/ops/integer/audio.py. */
#ifndef WHET_INTEGER_AUDIO_H
#define WHET_INTEGER_AUDIO_H
#include "integer_fft.h"
#include "integer_requantize.h"

WHET_INLINE void integer_window(const int n, const i16 *x, const i16 *weights, const int shift,
                                i16 *y)
{
    for (int i = 0; i < n; i++)
        y[i] = (i16)integer_clamp(((i32)x[i] * weights[i]) >> shift, -32768, 32767);
}

WHET_INLINE int integer_bit_length(const u32 x) { return x ? 32 - __builtin_clz(x) : 0; }

/* Shift the frame up until its largest magnitude has 15 bits; *bits is the shift. */
WHET_INLINE void integer_auto_scale(const int n, const i16 *x, i16 *y, i32 *bits)
{
    i32 largest = 0;
    for (int i = 0; i < n; i++) {
        const i32 magnitude = x[i] < 0 ? -x[i] : x[i];
        largest = magnitude > largest ? magnitude : largest;
    }
    largest = largest > 32767 ? 32767 : largest;
    *bits = largest ? 15 - integer_bit_length((u32)largest) : 0;
    for (int i = 0; i < n; i++)
        y[i] = (i16)((u32)x[i] << *bits);
}

/* re^2 + im^2 of bins start <= i < end; the other bins are 0. */
WHET_INLINE void integer_energy(const int bins, const int start, const int end,
                                const integer_complex *x, u32 *y)
{
    for (int i = 0; i < bins; i++)
        y[i] = i < start || i >= end ? 0 : (u32)(x[i].re * x[i].re) + (u32)(x[i].im * x[i].im);
}

/* The same, and the transform, where (re, im) pairs are plain i16. */
WHET_INLINE void integer_energy_codes(const int bins, const int start, const int end,
                                      const i16 *x, u32 *y)
{
    integer_energy(bins, start, end, (const integer_complex *)(const void *)x, y);
}

WHET_INLINE void integer_real_fft_codes(const int n, const int length, const i16 *x,
                                        const i32 *order, const i16 *twiddles,
                                        const i16 *super_twiddles, void *work, i16 *y)
{
    integer_real_fft(n, length, x, order, (const integer_complex *)(const void *)twiddles,
                     (const integer_complex *)(const void *)super_twiddles, work,
                     (integer_complex *)(void *)y);
}

/* Triangular filters; starts and widths have channels + 1 bands. */
WHET_INLINE void integer_filter_bank(const int channels, const u32 *x, const i16 *weights,
                                     const i16 *unweights, const i16 *frequency_starts,
                                     const i16 *weight_starts, const i16 *widths, u64 *y)
{
    u64 falling = 0;
    for (int band = 0; band <= channels; band++) {
        u64 rising = falling;
        falling = 0;
        for (int j = 0; j < widths[band]; j++) {
            const u64 value = x[frequency_starts[band] + j];
            rising += (u64)weights[weight_starts[band] + j] * value;
            falling += (u64)unweights[weight_starts[band] + j] * value;
        }
        if (band)
            y[band - 1] = rising;
    }
}

/* y = round(sqrt(x)) >> scale_down_bits. */
WHET_INLINE void integer_filter_bank_sqrt(const int channels, const u64 *x,
                                          const int scale_down_bits, u32 *y)
{
    for (int i = 0; i < channels; i++) {
        const u64 limit = x[i] >> 32 ? 0xffffffffu : 0xffffu;
        u64 rest = x[i], root = 0;
        for (u64 bit = (u64)1 << (62 - (__builtin_clzll(x[i] | 1) & 62)); bit; bit >>= 2) {
            const int take = rest >= root + bit;
            rest -= take ? root + bit : 0;
            root = (root >> 1) + (take ? bit : 0);
        }
        root += rest > root && root != limit;
        y[i] = (u32)(root >> scale_down_bits);
    }
}

WHET_INLINE void integer_filter_bank_sqrt_at(const int channels, const u64 *x,
                                             const i32 *scale_down_bits, u32 *y)
{
    integer_filter_bank_sqrt(channels, x, *scale_down_bits & 63, y);
}

/* Subtract a running noise estimate, kept in `noise`; odd channels have their own smoothing. */
WHET_INLINE void integer_spectral_subtraction(
    const int channels, const u32 smoothing, const u32 one_minus_smoothing,
    const u32 alternate_smoothing, const u32 alternate_one_minus_smoothing,
    const u32 min_signal_remaining, const int smoothing_bits, const int bits, const int clamping,
    const u32 *x, u32 *noise, u32 *y)
{
    for (int i = 0; i < channels; i++) {
        const u64 s = i & 1 ? alternate_smoothing : smoothing;
        const u64 rest = i & 1 ? alternate_one_minus_smoothing : one_minus_smoothing;
        const u32 up = x[i] << smoothing_bits;
        const u32 estimate = (u32)((up * s + noise[i] * rest) >> bits);
        const u32 used = estimate < up ? estimate : up;
        const u32 floor = (u32)(((u64)x[i] * min_signal_remaining) >> bits);
        const u32 subtracted = (up - used) >> smoothing_bits;
        noise[i] = clamping ? used : estimate;
        y[i] = subtracted > floor ? subtracted : floor;
    }
}

/* A piecewise quadratic of x, four entries of `gains` for every doubling. */
WHET_INLINE i16 integer_wide_gain(const u32 x, const i16 *gains)
{
    if (x <= 2)
        return gains[x];
    const int interval = integer_bit_length(x);
    const i16 *at = gains + 4 * interval - 6;
    const u32 place = interval < 11 ? x << (11 - interval) : x >> (interval - 11);
    const i32 fraction = (i32)(place & 1023);
    const i32 slope = ((at[2] * fraction) >> 5) + (i32)((u32)at[1] << 5);
    return (i16)(((i32)((u32)slope * (u32)fraction + (1 << 14)) >> 15) + at[0]);
}

/* Gain by the noise estimate, then compression. */
WHET_INLINE void integer_pcan(const int channels, const int snr_shift, const u32 *x,
                              const u32 *noise, const i16 *gains, u32 *y)
{
    for (int i = 0; i < channels; i++) {
        const u32 gain = (u32)integer_wide_gain(noise[i], gains);
        const u32 snr = (u32)(((u64)x[i] * gain) >> snr_shift);
        y[i] = snr < 2u << 12 ? (snr * snr) >> 20 : (snr >> 6) - 64;
    }
}

/* min(output_scale * ln(x << correction_bits), 32767); `table` is log_table. */
WHET_INLINE void integer_filter_bank_log(const int channels, const u32 output_scale,
                                         const int correction_bits, const u32 *x,
                                         const u16 *table, i16 *y)
{
    for (int i = 0; i < channels; i++) {
        const u32 scaled = x[i] << correction_bits;
        y[i] = 0;
        if (scaled <= 1)
            continue;
        const int whole = integer_bit_length(scaled) - 1;
        const u32 rest = scaled - ((u32)1 << whole);
        const u32 fraction = whole < 16 ? rest << (16 - whole) : rest >> (whole - 16);
        const u32 at = fraction >> 9;
        const i32 c0 = table[at], c1 = table[at + 1];
        const u32 curve = (u32)(c0 + (((c1 - c0) * (i32)(fraction & 511)) >> 16));
        const u32 log2 = ((u32)whole << 16) + fraction + curve;
        const u32 natural = (u32)(((u64)45426 * log2 + (1 << 15)) >> 16);
        const u32 value = (output_scale * natural + (1 << 15)) >> 16;
        y[i] = (i16)(value < 32767 ? value : 32767);
    }
}
#endif
