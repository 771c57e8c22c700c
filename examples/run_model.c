/* Run a compiled model from C, with nothing but its own files:
 *
 *   whet compile model.onnx -o model.whet
 *   unzip -j model.whet model.c model.h weights.bin
 *   cc -std=c11 -O3 -march=native -fwrapv -fno-strict-aliasing -ffp-contract=off \
 *       run_model.c model.c -o run_model
 *   ./run_model weights.bin input.bin output.bin
 *
 * -march names the machine that the model was compiled for: native, or what --cpu said. For another,
 * whose weights are packed in another way, the compiler stops with an error.
 *
 * Without contraction an integer model has the bits of its meaning under any compiler; a float
 * model is faster with -ffp-contract=fast.
 *
 * The input and output files hold the model's first input and output, as model.h describes them.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static void *load(const char *path, long *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    void *data = aligned_alloc(64, (size_t)(*size + 63) / 64 * 64 + 64);
    if (!data || fread(data, 1, (size_t)*size, file) != (size_t)*size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s weights.bin input.bin output.bin\n", argv[0]);
        return 2;
    }
    long weight_bytes, input_bytes;
    void *weights = load(argv[1], &weight_bytes);
    void *input = load(argv[2], &input_bytes);
    if (weight_bytes != MODEL_WEIGHT_BYTES || input_bytes != model_input_bytes[0]) {
        fprintf(stderr, "the weights or the input have the wrong size\n");
        return 2;
    }
    void *output = malloc(model_output_bytes[0]);
    void *arena = aligned_alloc(64, MODEL_ARENA_BYTES + 64 - MODEL_ARENA_BYTES % 64);
    const int status = model_run((const void *[]){input}, (void *[]){output}, arena, weights);
    if (status) {
        fprintf(stderr, "the model stopped with status %d\n", status);
        return 1;
    }
    FILE *file = fopen(argv[3], "wb");
    fwrite(output, 1, model_output_bytes[0], file);
    fclose(file);
    free(weights), free(input), free(output), free(arena);
    return 0;
}
