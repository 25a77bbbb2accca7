"""Prediction on the workers of a cluster."""
