/* Fourier transforms, window functions and the mel filter bank.
 *
 *   dft_T(x, y, twiddles, outer, n, inner, length, parts, out_parts, outputs, inverse)
 *       along n of x[outer][n][inner][parts], parts 1 (real) or 2 (complex), cut or padded with
 *       zeros to `length`; y[outer][outputs][inner][out_parts]. outputs is length, or
 *       length / 2 + 1 for a one-sided forward transform. The inverse divides by length; with
 *       out_parts 1 it takes the one-sided half of a real signal's spectrum.
 *   stft_T(x, window, y, twiddles, batch, samples, frames, step, length, parts, outputs)
 *       x[batch][samples][parts], window[length] or null, y[batch][frames][outputs][2]
 *   hann_window_T / hamming_window_T / blackman_window_T(y, n, periodic)
 *   mel_weight_matrix_T(y, mels, length, sample_rate, low_hertz, high_hertz)
 *       y[length / 2 + 1][mels]
 *
 * twiddles is scratch of wide_T[2 * length]. Any length works, by the definition: length^2 products
 * a signal. T is f32 f64 f16 bf16. Sources: ONNX DFT-20, STFT-17, HannWindow-17, HammingWindow-17,
 * BlackmanWindow-17, MelWeightMatrix-17.
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

#define DFT_FAMILY(T) \
    WHET_INLINE void dft_twiddles_##T(wide_##T *twiddles, const long length) \
    { \
        for (long i = 0; i < length; i++) { \
            twiddles[2 * i] = (wide_##T)spectrum_turn(i, length, 0); \
            twiddles[2 * i + 1] = (wide_##T)spectrum_turn(i, length, 1); \
        } \
    } \
    /* Frequency k of n terms `stride` elements apart, each times window[j] unless null. The */ \
    /* conjugates of a one-sided spectrum are added for n <= j < length where `mirror`. */ \
    WHET_INLINE void dft_bin_##T(const T *x, const T *window, wide_##T *bin, \
                                 const wide_##T *twiddles, const long n, const long stride, \
                                 const long length, const int parts, const long k, \
                                 const int inverse, const int mirror) \
    { \
        wide_##T real = 0, imaginary = 0; \
        long turn = 0; \
        for (long j = 0; j < (mirror ? length : n); j++) { \
            const long at = mirror && 2 * j > length ? length - j : j; \
            if (at < n) { \
                const wide_##T w = window ? widen_##T(window[j]) : 1; \
                const wide_##T a = w * widen_##T(x[at * stride]); \
                wide_##T b = parts == 2 ? w * widen_##T(x[at * stride + 1]) : 0; \
                b = mirror && (at == 0 || 2 * at == length) ? 0 : at != j ? -b : b; \
                const wide_##T c = twiddles[2 * turn]; \
                const wide_##T s = inverse ? twiddles[2 * turn + 1] : -twiddles[2 * turn + 1]; \
                real += a * c - b * s; \
                imaginary += a * s + b * c; \
            } \
            turn += k; \
            turn -= turn >= length ? length : 0; \
        } \
        bin[0] = inverse ? real / (wide_##T)length : real; \
        bin[1] = inverse ? imaginary / (wide_##T)length : imaginary; \
    } \
    WHET_INLINE void dft_##T(const T *x, T *y, wide_##T *twiddles, const long outer, \
                             const long n, const long inner, const long length, \
                             const int parts, const int out_parts, const long outputs, \
                             const int inverse) \
    { \
        const long used = n < length ? n : length; \
        const int mirror = inverse && out_parts == 1; \
        dft_twiddles_##T(twiddles, length); \
        for (long o = 0; o < outer; o++) \
            for (long k = 0; k < outputs; k++) \
                for (long i = 0; i < inner; i++) { \
                    wide_##T bin[2]; \
                    dft_bin_##T(x + (o * n * inner + i) * parts, 0, bin, twiddles, used, \
                                inner * parts, length, parts, k, inverse, mirror); \
                    T *to = y + ((o * outputs + k) * inner + i) * out_parts; \
                    to[0] = narrow_##T(bin[0]); \
                    if (out_parts == 2) \
                        to[1] = narrow_##T(bin[1]); \
                } \
    } \
    WHET_INLINE void stft_##T(const T *x, const T *window, T *y, wide_##T *twiddles, \
                              const long batch, const long samples, const long frames, \
                              const long step, const long length, const int parts, \
                              const long outputs) \
    { \
        dft_twiddles_##T(twiddles, length); \
        for (long b = 0; b < batch; b++) \
            for (long f = 0; f < frames; f++) { \
                const long rest = samples - f * step; \
                const T *frame = x + (b * samples + f * step) * parts; \
                for (long k = 0; k < outputs; k++) { \
                    wide_##T bin[2]; \
                    dft_bin_##T(frame, window, bin, twiddles, rest < length ? rest : length, \
                                parts, length, parts, k, 0, 0); \
                    *y++ = narrow_##T(bin[0]); \
                    *y++ = narrow_##T(bin[1]); \
                } \
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
