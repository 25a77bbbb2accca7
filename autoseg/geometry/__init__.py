"""Arrays with physical units: axes, orientation, crop, pad, resample."""
