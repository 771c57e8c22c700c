"""The `.whet` file: a ZIP of stored, page-aligned entries that is mapped, never unpacked."""
