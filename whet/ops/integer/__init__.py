"""The exact integer meaning of every quantised operation.

Each function maps integer arrays to integer arrays. The constants it needs (multipliers, shifts,
tables) are derived once, at compile time, by the `*_constants` function or `*_table` beside it;
devices never see a float scale. Two roundings are defined:

`single`  Whet's own: one rounding, ties up (TOSA RESCALE).
`double`  TensorFlow Lite Micro's reference kernels, bit for bit.

| meaning of | here | portable C |
|---|---|---|
| a requantised accumulator | requantize | integer_requantize.h |
| convolutions, matrix products | contraction | integer_contraction.h |
| add, subtract | addition | integer_elementwise.h |
| multiply, squared difference, PReLU | multiplication | integer_elementwise.h |
| a function of one 8-bit value | unary, tables | integer_elementwise.h (integer_table) |
| a function of one 16-bit value | sigmoid, interpolation | integer_sigmoid.h, _interpolation.h |
| pooling; mean, sum, extremes | pooling; reduction | integer_reduction.h |
| softmax | softmax, softmax16 | integer_reduction.h, integer_interpolation.h |
| L2 and layer normalisation | normalization | integer_normalization.h |
| concatenation, resizing | concatenation, resize | integer_elementwise.h, integer_resize.h |
| float to integer and back | boundary | integer_boundary.h |
| recurrent layers | lstm, svdf | integer_lstm.h, integer_svdf.h |
| the audio front end | fft, audio | integer_fft.h, integer_audio.h |

Movement (reshape, slice, pad with the zero point, nearest resizing, maximum of tensors with one
quantisation) means on codes what it means on reals.
"""
