"""The exact integer meaning of every quantised operation.

Each function maps integer arrays to integer arrays. The constants it needs (multipliers, shifts,
tables) are derived once, at compile time, by the `*_constants` function beside it; devices never
see a float scale. Two roundings are defined:

`single`  Whet's own: one rounding, ties up (TOSA RESCALE).
`double`  TensorFlow Lite Micro's reference kernels, bit for bit.
"""
