"""Tiny data sets, and what can be wrong with one; for `mutations.py`."""
