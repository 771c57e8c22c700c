"""Run a compiled model on this machine, hold it to its meaning, and time its steps."""
