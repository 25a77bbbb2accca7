"""The headers of NIfTI-1 and NIfTI-2, field by field.

The format: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h.
"""

from __future__ import annotations

import numpy as np

NIFTI1 = np.dtype(
    [
        ("sizeof_hdr", "<i4"),
        ("unused", "V36"),
        ("dim", "<i2", 8),
        ("intent_p", "<f4", 3),
        ("intent_code", "<i2"),
        ("datatype", "<i2"),
        ("bitpix", "<i2"),
        ("slice_start", "<i2"),
        ("pixdim", "<f4", 8),
        ("vox_offset", "<f4"),
        ("scl_slope", "<f4"),
        ("scl_inter", "<f4"),
        ("slice_end", "<i2"),
        ("slice_code", "u1"),
        ("xyzt_units", "u1"),
        ("cal", "<f4", 2),
        ("time", "<f4", 2),
        ("gl", "<i4", 2),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "<i2"),
        ("sform_code", "<i2"),
        ("quatern", "<f4", 3),
        ("qoffset", "<f4", 3),
        ("srow", "<f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
    ]
)
NIFTI2 = np.dtype(
    [
        ("sizeof_hdr", "<i4"),
        ("magic", "S8"),
        ("datatype", "<i2"),
        ("bitpix", "<i2"),
        ("dim", "<i8", 8),
        ("intent_p", "<f8", 3),
        ("pixdim", "<f8", 8),
        ("vox_offset", "<i8"),
        ("scl_slope", "<f8"),
        ("scl_inter", "<f8"),
        ("cal", "<f8", 2),
        ("time", "<f8", 2),
        ("slice", "<i8", 2),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "<i4"),
        ("sform_code", "<i4"),
        ("quatern", "<f8", 3),
        ("qoffset", "<f8", 3),
        ("srow", "<f8", (3, 4)),
        ("slice_code", "<i4"),
        ("xyzt_units", "<i4"),
        ("intent_code", "<i4"),
        ("intent_name", "S16"),
        ("dim_info", "u1"),
        ("unused", "V15"),
    ]
)
LAYOUTS = {348: NIFTI1, 540: NIFTI2}
PAIR = {348: b"ni1", 540: b"ni2\x00\r\n\x1a\n"}  # voxels are in another file
MAGIC = {348: b"n+1", 540: b"n+2\x00\r\n\x1a\n"}
