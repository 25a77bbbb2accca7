"""Plug-in folder: one file for each kind of annotation that outputs become."""
