"""Several runs on the same cases, side by side."""
