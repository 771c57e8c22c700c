/* Run the model once on inputs that are part of the program, and print every output byte.
 *
 * The build defines MODEL_DIMS where the model has symbolic sizes, and gives in data.h:
 *   model_inputs[] and model_outputs[]   tables of pointers, output_bytes[] beside the latter
 *   model_weights, model_arena           aligned to 64
 */
#include "model.h"
#include "data.h"

void board_print(const char *text);

static void print_hex(const uint8_t *bytes, long n)
{
    char line[129];
    for (long i = 0; i < n;) {
        int at = 0;
        for (; at < 128 && i < n; i++) {
            line[at++] = "0123456789abcdef"[bytes[i] >> 4];
            line[at++] = "0123456789abcdef"[bytes[i] & 15];
        }
        line[at] = 0;
        board_print(line);
    }
    board_print("\n");
}

/* WebAssembly's host calls `run`; everything else starts at main. */
#if defined(__wasm__)
__attribute__((export_name("run"))) int run(void)
#else
int main(void)
#endif
{
    const int status = model_run(model_inputs, model_outputs, model_arena, model_weights);
    if (status)
        return status;
    for (int i = 0; i < MODEL_OUTPUTS; i++)
        print_hex(model_outputs[i], output_bytes[i]);
    return 0;
}
