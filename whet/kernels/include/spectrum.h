/* Fourier transforms, window functions and the mel filter bank.
 *
 *   dft_T(x, y, scratch, outer, n, inner, length, parts, out_parts, outputs, inverse)
 *       along n of x[outer][n][inner][parts], parts 1 (real) or 2 (complex), cut or padded with
 *       zeros to `length`; y[outer][outputs][inner][out_parts]. outputs is length, or
 *       length / 2 + 1 for a one-sided forward transform. The inverse divides by length; with
 *       out_parts 1 it takes the one-sided half of a real signal's spectrum.
 *   stft_T(x, window, y, scratch, batch, samples, frames, step, length, parts, outputs)
 *       x[batch][samples][parts], window[length] or null, y[batch][frames][outputs][2]
 *   hann_window_T / hamming_window_T / blackman_window_T(y, n, periodic)
 *   mel_weight_matrix_T(y, mels, length, sample_rate, low_hertz, high_hertz)
 *       y[length / 2 + 1][mels]
 *
 * scratch is wide_T[6 * length]. Any length works; a signal takes length times the sum of the
 * length's prime factors products. T is f32 f64 f16 bf16. Sources: ONNX DFT-20, STFT-17,
 * HannWindow-17, HammingWindow-17, BlackmanWindow-17, MelWeightMatrix-17; mixed radix: Cooley and
 * Tukey 1965, in Stockham's order.
 */
#ifndef WHET_SPECTRUM_H
#define WHET_SPECTRUM_H
#include "math.h"

/* cos and sin of 2 pi i / n. */
WHET_INLINE double spectrum_turn(const long i, const long n, const int sine)
{
    const double angle = 2.0 * MATH_PI * (double)i / (double)n;
    return sine ? math_sin_f64(angle) : math_cos_f64(angle);
}

/* scratch is three times 2 * length numbers: twiddles, (cos, sin) of 2 pi i / length; the data; and
 * the space a pass writes to, which then is the data of the next. */
#define DFT_FAMILY(T) \
    WHET_INLINE void dft_twiddles_##T(wide_##T *scratch, const long length) \
    { \
        for (long i = 0; i < length; i++) { \
            scratch[2 * i] = (wide_##T)spectrum_turn(i, length, 0); \
            scratch[2 * i + 1] = (wide_##T)spectrum_turn(i, length, 1); \
        } \
    } \
    /* Gather n terms `stride` elements apart, each times window[j] unless null, padded with */ \
    /* zeros; `mirror` completes the one-sided spectrum of a real signal by conjugates. */ \
    WHET_INLINE void dft_load_##T(const T *x, const T *window, wide_##T *data, const long n, \
                                  const long stride, const long length, const int parts, \
                                  const int mirror) \
    { \
        for (long j = 0; j < length; j++) { \
            const long at = mirror && 2 * j > length ? length - j : j; \
            const wide_##T w = at >= n ? 0 : window ? widen_##T(window[at]) : 1; \
            const wide_##T imaginary = parts == 2 && at < n ? widen_##T(x[at * stride + 1]) : 0; \
            data[2 * j] = at < n ? w * widen_##T(x[at * stride]) : 0; \
            data[2 * j + 1] = w * (at == j ? imaginary : -imaginary); \
            if (mirror && (j == 0 || 2 * j == length)) \
                data[2 * j + 1] = 0; \
        } \
    } \
    /* One pass: `stride` interleaved transforms of length rest * p are split by the factor p. */ \
    WHET_INLINE void dft_pass_##T(const wide_##T *twiddles, const wide_##T *from, wide_##T *to, \
                                  const long length, const long p, const long rest, \
                                  const long stride, const wide_##T sign) \
    { \
        for (long q = 0; q < rest; q++) \
        for (long j = 0; j < p; j++) \
        for (long r = 0; r < stride; r++) { \
            wide_##T real = 0, imaginary = 0; \
            /* exp(2 pi i j (k / p + q / (rest p))) = twiddle j (k length / p + q stride) */ \
            for (long k = 0, turn = j * q * stride; k < p; k++) { \
                const wide_##T *a = from + 2 * (r + stride * (q + k * rest)); \
                const wide_##T c = twiddles[2 * turn], s = sign * twiddles[2 * turn + 1]; \
                real += a[0] * c - a[1] * s; \
                imaginary += a[0] * s + a[1] * c; \
                turn += j * (length / p); \
                turn -= turn >= length ? length : 0; \
            } \
            to[2 * (r + stride * (p * q + j))] = real; \
            to[2 * (r + stride * (p * q + j)) + 1] = imaginary; \
        } \
    } \
    /* The same for p = 2, whose inner twiddles are 1 and -1. */ \
    WHET_INLINE void dft_pass_2_##T(const wide_##T *twiddles, const wide_##T *from, \
                                    wide_##T *to, const long rest, const long stride, \
                                    const wide_##T sign) \
    { \
        for (long q = 0; q < rest; q++) \
        for (long r = 0; r < stride; r++) { \
            const wide_##T c = twiddles[2 * q * stride]; \
            const wide_##T s = sign * twiddles[2 * q * stride + 1]; \
            const wide_##T *a = from + 2 * (r + stride * q), *b = a + 2 * stride * rest; \
            const wide_##T real = a[0] - b[0], imaginary = a[1] - b[1]; \
            wide_##T *sum = to + 2 * (r + stride * 2 * q), *difference = sum + 2 * stride; \
            sum[0] = a[0] + b[0]; \
            sum[1] = a[1] + b[1]; \
            difference[0] = real * c - imaginary * s; \
            difference[1] = real * s + imaginary * c; \
        } \
    } \
    /* Transform the loaded data; returns where the bins are. */ \
    WHET_INLINE const wide_##T *dft_transform_##T(wide_##T *scratch, const long length, \
                                                  const wide_##T sign) \
    { \
        wide_##T *from = scratch + 2 * length, *to = scratch + 4 * length; \
        for (long left = length, p = 2, stride = 1; left > 1;) { \
            if (left % p) { \
                p = p * p > left ? left : p + 1; \
                continue; \
            } \
            left /= p; \
            if (p == 2) \
                dft_pass_2_##T(scratch, from, to, left, stride, sign); \
            else \
                dft_pass_##T(scratch, from, to, length, p, left, stride, sign); \
            stride *= p; \
            wide_##T *const written = to; \
            to = from; \
            from = written; \
        } \
        return from; \
    } \
    /* Transform the loaded data into `outputs` bins, `step` elements apart in y. */ \
    WHET_INLINE void dft_store_##T(wide_##T *scratch, T *y, const long length, \
                                   const long outputs, const long step, const int out_parts, \
                                   const int inverse) \
    { \
        const wide_##T *bins = dft_transform_##T(scratch, length, inverse ? 1 : -1); \
        const wide_##T scale = inverse ? 1 / (wide_##T)length : 1; \
        for (long k = 0; k < outputs; k++, y += step) { \
            y[0] = narrow_##T(bins[2 * k] * scale); \
            if (out_parts == 2) \
                y[1] = narrow_##T(bins[2 * k + 1] * scale); \
        } \
    } \
    WHET_INLINE void dft_##T(const T *x, T *y, wide_##T *scratch, const long outer, \
                             const long n, const long inner, const long length, \
                             const int parts, const int out_parts, const long outputs, \
                             const int inverse) \
    { \
        dft_twiddles_##T(scratch, length); \
        for (long o = 0; o < outer; o++) \
            for (long i = 0; i < inner; i++) { \
                dft_load_##T(x + (o * n * inner + i) * parts, 0, scratch + 2 * length, n, \
                             inner * parts, length, parts, inverse && out_parts == 1); \
                dft_store_##T(scratch, y + (o * outputs * inner + i) * out_parts, length, \
                              outputs, inner * out_parts, out_parts, inverse); \
            } \
    } \
    WHET_INLINE void stft_##T(const T *x, const T *window, T *y, wide_##T *scratch, \
                              const long batch, const long samples, const long frames, \
                              const long step, const long length, const int parts, \
                              const long outputs) \
    { \
        dft_twiddles_##T(scratch, length); \
        for (long b = 0; b < batch; b++) \
            for (long f = 0; f < frames; f++, y += 2 * outputs) { \
                dft_load_##T(x + (b * samples + f * step) * parts, window, \
                             scratch + 2 * length, samples - f * step, parts, length, parts, 0); \
                dft_store_##T(scratch, y, length, outputs, 2, 2, 0); \
            } \
    }

#define WINDOW_FAMILY(T) \
    WHET_INLINE void cosine_window_##T(T *y, const long n, const int periodic, const double a, \
                                       const double b, const double c) \
    { \
        const long turn = periodic ? n : n - 1; \
        for (long i = 0; i < n; i++) { \
            const double once = turn ? spectrum_turn(i, turn, 0) : 1.0; \
            const double twice = turn ? spectrum_turn(2 * i, turn, 0) : 1.0; \
            y[i] = narrow_##T((wide_##T)(a - b * once + c * twice)); \
        } \
    } \
    WHET_INLINE void hann_window_##T(T *y, const long n, const int periodic) \
    { \
        cosine_window_##T(y, n, periodic, 0.5, 0.5, 0.0); \
    } \
    WHET_INLINE void hamming_window_##T(T *y, const long n, const int periodic) \
    { \
        cosine_window_##T(y, n, periodic, 25.0 / 46, 21.0 / 46, 0.0); \
    } \
    WHET_INLINE void blackman_window_##T(T *y, const long n, const int periodic) \
    { \
        cosine_window_##T(y, n, periodic, 0.42, 0.5, 0.08); \
    }

/* Spectrogram bin where edge i of `mels` + 2 mel-spaced edges falls. */
WHET_INLINE long mel_edge(const long i, const long mels, const long length,
                          const double sample_rate, const double low, const double high)
{
    const double log_10 = 2.302585092994045684;
    const double first = 2595.0 * math_log1p_f64(low / 700.0) / log_10;
    const double last = 2595.0 * math_log1p_f64(high / 700.0) / log_10;
    const double mel = first + (double)i * ((last - first) / (double)(mels + 2));
    const double hertz = 700.0 * math_expm1_f64(mel / 2595.0 * log_10);
    const double bin = math_floor_f64((double)(length + 1) * hertz / sample_rate);
    return bin < 0 ? 0 : bin > (double)(length / 2) ? length / 2 : (long)bin;
}

#define MEL_FAMILY(T) \
    WHET_INLINE void mel_weight_matrix_##T(T *y, const long mels, const long length, \
                                           const double sample_rate, const double low, \
                                           const double high) \
    { \
        const long bins = length / 2 + 1; \
        for (long m = 0; m < mels; m++) { \
            const long left = mel_edge(m, mels, length, sample_rate, low, high); \
            const long center = mel_edge(m + 1, mels, length, sample_rate, low, high); \
            const long right = mel_edge(m + 2, mels, length, sample_rate, low, high); \
            for (long b = 0; b < bins; b++) { \
                double w = 0.0; \
                if (b == center && (right > center || left == center)) \
                    w = 1.0; \
                else if (b >= left && b <= center && center > left) \
                    w = (double)(b - left) / (double)(center - left); \
                else if (b > center && b < right) \
                    w = (double)(right - b) / (double)(right - center); \
                y[b * mels + m] = narrow_##T((wide_##T)w); \
            } \
        } \
    }

WHET_FOR_FLOATS(DFT_FAMILY)
WHET_FOR_FLOATS(WINDOW_FAMILY)
WHET_FOR_FLOATS(MEL_FAMILY)

#endif
