"""The plug-in for napari: `napari.yaml` says what there is; `widget.py` is the window.

What it does is in `layers.py`, which needs no napari.
"""
