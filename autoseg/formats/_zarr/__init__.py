"""OME-Zarr: what its JSON says, its arrays read by windows, and writing."""
