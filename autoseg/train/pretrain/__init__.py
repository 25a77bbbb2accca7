"""A start from images alone: a network learns to fill in what is hidden."""
