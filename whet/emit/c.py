"""A Program as one self-contained, freestanding model.c and its model.h."""

from __future__ import annotations

from whet.emit.headers import amalgamate
from whet.emit.page import comment, page
from whet.emit.program import Program
from whet.emit.watch import Unwatched
from whet.emit.writer import HOST, MACROS, Writer

STAGES_A_UNIT = 4
HIDDEN = '__attribute__((visibility("hidden"))) '


def model_c(program: Program, watch: Unwatched | None = None) -> str:
    """The whole model as C11: kernels it uses, one function a stage, and `model_run`."""
    writer = Writer(program, watch)
    main = writer.main()
    parts = [
        *(banner(program), "/* The kernels that the stages call. */"),
        amalgamate(program.headers, program.packing),
        *("/* The model's stages, each a kernel for one shape. */", HOST, MACROS),
        *(
            *writer.definitions(),
            "/* The stages in order. */",
            *writer.watch.definitions(),
            main,
            "",
        ),
    ]
    return page("\n".join(parts))


def model_units(program: Program, most: int, watch: Unwatched | None = None) -> tuple[str, ...]:
    """The same model as up to `most` files that compile side by side; the last one runs it."""
    writer = Writer(program, watch)
    main = writer.main()
    count = max(1, min(most, len(writer.stages) // STAGES_A_UNIT))
    if count == 1:
        return (model_c(program, watch),)
    shared = [amalgamate(program.headers, program.packing), HOST, MACROS, *writer.epilogues.texts]
    # Neighbours are alike and take alike to compile, so units take turns.
    units = [
        [f"{t.note}\n{HIDDEN}{t.head}{t.body}" for t in writer.stages[i::count]]
        for i in range(count)
    ]
    declared = [f"{t.head};" for t in writer.stages]
    texts = [page("\n".join([*shared, *unit])) for unit in units[:-1]]
    watching = writer.watch.definitions()
    last = "\n".join([*shared, *declared, *units[-1], *writer.local, *watching, main])
    return (*texts, page(last))


def banner(program: Program) -> str:
    """The comment on top: what memory the model needs, what goes in and comes out."""
    rows = [
        f"/* {program.name}: {len(program.weights)} bytes of weights, {program.main.arena} bytes"
    ]
    rows.append(" * of arena. Freestanding C11: no allocation, no global state.")
    for kind, ports in (("input", program.inputs), ("output", program.outputs)):
        rows += [
            f" *   {kind} {p.name}: {p.element}[{', '.join(map(str, p.shape))}]" for p in ports
        ]
    return "\n".join([*(comment(r) for r in rows), " */"])


def model_h(program: Program) -> str:
    """The public interface: sizes, ports and the one call."""
    guard = "WHET_MODEL_H"
    dims = ", int64_t *dims" if program.symbols else ""
    lines = [
        f"/* {comment('  ' + program.name).strip()}: see model.c. */",
        f"#ifndef {guard}\n#define {guard}\n#include <stdint.h>",
        '#ifdef __cplusplus\nextern "C" {\n#endif',
        f"enum {{ MODEL_ARENA_BYTES = {program.main.arena},",
        f"       MODEL_WEIGHT_BYTES = {len(program.weights)},",
        f"       MODEL_INPUTS = {len(program.inputs)}, MODEL_OUTPUTS = {len(program.outputs)},",
        f"       MODEL_THREADS = {program.threads} }};",
    ]
    for kind, ports in (("inputs", program.inputs), ("outputs", program.outputs)):
        lines += [
            f"/* {kind}[{i}] {p.name}: {p.element}[{', '.join(map(str, p.shape))}] */"
            for i, p in enumerate(ports)
        ]
        sizes = ", ".join(str(p.nbytes) for p in ports) or "0"
        lines.append(f"static const long model_{kind[:-1]}_bytes[] = {{{sizes}}};")
    lines += [
        "/* Run the model once. memory: MODEL_ARENA_BYTES, constants: MODEL_WEIGHT_BYTES,",
        " * both aligned to 64. Returns 0, or the code of the check that failed. */",
        "int model_run(const void *const *inputs, void *const *outputs, void *memory,",
        f"    const void *constants{dims});",
        HOST.rstrip(),
        "/* The same by `parts` threads, MODEL_THREADS at most, each with its `part`;",
        " * host->wait is their barrier. */",
        "int model_run_part(const void *const *inputs, void *const *outputs, void *memory,",
        f"    const void *constants{dims}, int part, int parts, struct model_host *host);",
        "#ifdef __cplusplus\n}\n#endif\n#endif\n",
    ]
    return page("\n".join(lines))
