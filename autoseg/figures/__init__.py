"""Figures that any stage may draw: how they look, and a training's curves."""
