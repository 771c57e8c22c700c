"""From stages to text: the only room that writes C."""
