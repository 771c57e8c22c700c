"""Machine families as data, one file each."""
