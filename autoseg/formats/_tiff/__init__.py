"""TIFF: pages, letters of axes, calibration, and files."""
