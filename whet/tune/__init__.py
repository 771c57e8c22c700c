"""The tuner: what can be chosen for a model's kernel calls, timed on this machine and remembered.

The analytic models of the kernels give a few likely choices a call; each is built, checked against
the default's results, raced against it, and taken where it is clearly faster. The whole model is
raced last, tuned against untuned, and the faster of the two is kept.
"""
