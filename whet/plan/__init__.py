"""Order, lifetimes and arena offsets; the call list."""
