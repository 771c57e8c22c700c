"""C headers, one small Python file a family: choices, layouts."""
