"""Pseudo-labels: what a model is sure of becomes training cases."""
