/* A hash over the outputs of every integer kernel on fixed pseudo-random inputs: one number that
 * must be the same on every target and at every optimisation level. */
#include "integer_audio.h"
#include "integer_boundary.h"
#include "integer_elementwise.h"
#include "integer_interpolation.h"
#include "integer_lstm.h"
#include "integer_normalization.h"
#include "integer_reduction.h"
#include "integer_resize.h"
#include "integer_svdf.h"
#include "layer_norm_s8.h"
#include "softmax_s8.h"

enum { N = 2048 };
static u32 seed, hash;
static i8 a8[N], b8[N], y8[N];
static i16 a16[N], y16[N], table16[513];
static i32 m[64], t[64], bias[64];
static u32 exp_table[256];
static u16 sigmoid[256];
static u8 exponentials[512];
static float gamma[256];

static u32 next(void) { return (seed = seed * 1664525u + 1013904223u) >> 7; }

static void fill(void *to, const int bytes)
{
    for (int i = 0; i < bytes; i++)
        ((u8 *)to)[i] = (u8)next();
}

static void mix(const void *from, const int bytes)
{
    for (int i = 0; i < bytes; i++)
        hash = (hash ^ ((const u8 *)from)[i]) * 16777619u;
}

static void prepare(void)
{
    seed = 1;
    hash = 2166136261u;
    fill(a8, sizeof a8);
    fill(b8, sizeof b8);
    fill(a16, sizeof a16);
    fill(table16, sizeof table16);
    for (int i = 0; i < 64; i++) {
        m[i] = (i32)((1u << 30) + (next() & 0x3fffffff));
        t[i] = 36 + (int)(next() % 6);
        bias[i] = (i32)next() % 9000;
    }
    for (int i = 0; i < 256; i++) {
        exp_table[i] = 65536u >> (i / 16);
        sigmoid[i] = (u16)(32768 + i * 128);
        exponentials[i] = (u8)(65535 >> i / 16);
        exponentials[256 + i] = (u8)((65535 >> i / 16) >> 8);
        gamma[i] = (float)((int)(next() % 64000) - 32000) * 0x1.3p-10f;
    }
}

static void contractions(const int rounding)
{
    integer_conv2d(1, 8, 8, 8, 8, 8, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, INTEGER_I8, INTEGER_I8, a8, 3,
                   b8, 0, bias, m, t, 1, -4, -128, 127, rounding, y8);
    mix(y8, 768);
    integer_depthwise_conv2d(1, 8, 8, 16, 4, 4, 16, 3, 3, 2, 2, 1, 1, 1, 1, INTEGER_I8, INTEGER_I8,
                             a8, -9, b8, 0, bias, m, t, 1, 5, -128, 127, rounding, y8);
    mix(y8, 256);
    integer_fully_connected(3, 200, 11, INTEGER_U8, INTEGER_U8, a8, 120, b8, 99, bias, m, t, 0, 7,
                            0, 255, rounding, y8);
    mix(y8, 33);
    integer_batch_matmul(2, 3, 40, 5, 120, 200, INTEGER_I16, a16, 0, a16, 0, m[0], 52, 0, -32768,
                         32767, rounding, y16);
    mix(y16, 60);
}

static void elementwise(const int rounding)
{
    integer_add_single(N, 1, 1, INTEGER_I8, a8, 3, 1500000, b8, -5, -1200000, 22, 4, -128, 127, y8);
    mix(y8, N);
    integer_add_double(N, 1, 1, INTEGER_I8, 20, 1, a8, 3, m[0], 32, b8, -5, m[1], 33, m[2], 49, 4,
                       -128, 127, y8);
    mix(y8, N);
    integer_mul(1, N, INTEGER_I8, a8, 0, 1, 3, b8, 0, 1, -5, m[3], 38, 4, -128, 127, rounding, y8);
    mix(y8, N);
    integer_squared_difference(N, 1, 1, INTEGER_I8, 7, a8, 3, m[4], 32, b8, 9, m[5], 32, m[6], 50,
                               -128, -128, 127, rounding, y8);
    mix(y8, N);
    integer_rescale(N, INTEGER_I16, INTEGER_I8, a16, 0, m[7], 39, 4, -128, 127, rounding, y8);
    mix(y8, N);
}

static void reductions(const int rounding)
{
    integer_pool2d(1, 8, 8, 16, 4, 4, 3, 3, 2, 2, 1, 1, INTEGER_I8, 1, a8, -128, 127, y8);
    mix(y8, 256);
    integer_sum(4, 49, 8, INTEGER_I8, a8, 490, m[8], 36, 3, -128, 127, rounding, y8);
    mix(y8, 32);
    integer_softmax_single(8, 100, INTEGER_I8, INTEGER_I8, a8, exp_table, y8);
    mix(y8, 800);
    integer_softmax_double(8, 100, INTEGER_I8, INTEGER_I8, a8, m[9], 8, -200, y8);
    mix(y8, 800);
    integer_softmax16(4, 100, a16, m[10], 31, table16, table16, rounding, y16);
    integer_l2_normalize(8, 60, a8, 5, rounding, y8);
    mix(y8, 480);
    softmax_s8(100, 255 << 16, 0, 8, a8, exponentials, y8);
    mix(y8, 800);
    layer_norm_s8(70, 1e-3f, 3, -128, 127, 0, 8, a8, gamma, gamma + 70, y8);
    mix(y8, 560);
}

static void sequences(const int rounding)
{
    static const i8 *const w[4] = {a8, a8 + 100, b8, b8 + 100};
    static const void *const biases[4] = {bias, bias + 8, bias + 16, bias + 24};
    integer_lstm_constants c = {3, -4, {0}, {0}, {0}, {0}, 1 << 30, 45, 1 << 30, 48, 1 << 30, 52,
                                3, 1, 30000};
    for (int g = 0; g < 4; g++) {
        c.input_m[g] = m[g], c.recurrent_m[g] = m[g + 4];
        c.input_t[g] = c.recurrent_t[g] = 36;
    }
    fill(y16, 32);
    integer_lstm_step(10, 8, INTEGER_I8, c, a8, b8, w, w, biases, sigmoid, rounding, y16, y8);
    mix(y8, 8);
    mix(y16, 16);
    fill(y16, sizeof y16);
    integer_svdf(2, 20, 6, 2, 5, INTEGER_I16, a8, 3, b8, m[11], 38, a16, 0, bias, m[12], 45, -7,
                 rounding, y16, y8);
    mix(y8, 12);
    mix(y16, 240);
}

static void floats(void)
{
    static f32 x[N];
    for (int i = 0; i < N; i++)
        x[i] = (f32)(i32)(next() & 0xffff) * 0.01f - 327.0f;
    integer_quantize(N, INTEGER_I8, x, 2.37f, -3, -128, 127, y8);
    mix(y8, N);
    integer_dequantize(N, INTEGER_I8, y8, 0.0371, -3, x);
    mix(x, sizeof x);
}

u32 integer_hash(void)
{
    prepare();
    for (int rounding = WHET_SINGLE; rounding <= WHET_DOUBLE; rounding++) {
        contractions(rounding);
        elementwise(rounding);
        reductions(rounding);
        sequences(rounding);
    }
    floats();
    integer_logistic16(N, a16, 20000, 4, sigmoid, y16);
    mix(y16, sizeof y16);
    integer_tanh16(N, a16, 3, 0, sigmoid, y16);
    mix(y16, sizeof y16);
    return hash;
}

#if defined(__linux__) && defined(__aarch64__)
static long call(const long number, const long x, const long y, const long z)
{
    register long n __asm__("x8") = number, r __asm__("x0") = x, p __asm__("x1") = y;
    register long q __asm__("x2") = z;
    __asm__ volatile("svc 0" : "+r"(r) : "r"(n), "r"(p), "r"(q) : "memory");
    return r;
}

void _start(void)
{
    const u32 h = integer_hash();
    char text[8];
    for (int i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[h >> (28 - 4 * i) & 15];
    call(64, 1, (long)text, 8);
    call(93, 0, 0, 0);
    __builtin_unreachable();
}
#endif
