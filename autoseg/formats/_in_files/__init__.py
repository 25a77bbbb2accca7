"""Voxels that are looked at where they lie in a file, and unpacked if they must be."""
