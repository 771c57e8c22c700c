"""Machine families as data, one file each; the machine at hand, and what it says of itself."""
