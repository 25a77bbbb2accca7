"""From heatmaps to points: where exactly, how sure, and whether plausible; no torch."""
