"""One training step after the other."""
