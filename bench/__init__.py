"""Whet measured side by side with its peers."""
