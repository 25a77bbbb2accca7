"""Plug-in folder: every public file is one way to compute a network."""
