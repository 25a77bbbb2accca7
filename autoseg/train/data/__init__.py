"""From prepared cases to batches."""
