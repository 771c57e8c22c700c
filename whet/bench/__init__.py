"""Bench: Whet and its peers on one model, one input, one machine, in turn.

Each engine lives in a process of its own (`worker`), so that its memory is its own and its threads
disturb nobody; `race` lets them run one at a time, round after round.
"""
