"""C kernels and, one file a family, what each can compute and how it is called."""
