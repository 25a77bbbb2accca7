"""Series of DICOM files in data sets: images that are folders, and annotations."""
