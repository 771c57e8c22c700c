"""Run a compiled model on this machine."""
