"""DICOM: series and studies as images, segmentations and contours as annotations."""
