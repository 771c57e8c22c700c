"""TFLite -> Graph."""
