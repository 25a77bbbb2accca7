"""Pure functions of two annotations."""
