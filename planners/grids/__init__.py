"""Arithmetic of grids: spacings, patches, and where a network halves them."""
