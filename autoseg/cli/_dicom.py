"""Arguments about DICOM: which series is meant, and what is written."""

from __future__ import annotations

import argparse

TYPES = ("nifti", "dicom-seg", "rtstruct", "geojson", "bids")


def add_series(parser: argparse.ArgumentParser) -> None:
    """Declare which series of a study is meant, and which files predictions become."""
    group = parser.add_argument_group("DICOM")
    group.add_argument(
        "--series",
        nargs="+",
        default=(),
        metavar="NAME",
        help="of a study, which series: its number, UID, description or a pattern such "
        "as *t1*; for several channels one for each; all predicts each of them",
    )
    group.add_argument(
        "--straighten",
        action="store_true",
        help="take series that the gantry tilted, and straighten them",
    )
    group.add_argument(
        "--output-type",
        nargs="+",
        choices=TYPES,
        metavar="TYPE",
        default=(),
        help=f"what label maps are written as, one or several of {', '.join(TYPES)}; "
        "by default as the training annotations. dicom-seg and rtstruct are of DICOM "
        "series; geojson has outlines for QuPath, beside the label map; bids writes "
        "derivatives of a BIDS data set",
    )
