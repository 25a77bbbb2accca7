"""How to predict, as arguments of the command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

TYPES = ("nifti", "dicom-seg", "rtstruct", "geojson", "bids")


def add_how(parser: argparse.ArgumentParser) -> None:
    """Declare what changes time, memory and, where it says so, the result."""
    group = parser.add_argument_group("how")
    group.add_argument(
        "--step-size",
        "-step_size",
        type=float,
        metavar="SHARE",
        help="largest distance of windows in edges of a window; by default 0.5, and "
        "0.75 for instances",
    )
    group.add_argument(
        "--window",
        type=_window,
        metavar="Z,Y,X",
        help="edges of the windows, in the order of the plan's patch_size: larger ones "
        "than in training waste less on overlaps; auto: as they cover each image with "
        "fewest voxels. By default as in training; of instances in pictures, auto",
    )
    _add_mirrored(group)
    group.add_argument(
        "--exact",
        action="store_true",
        help="nnU-Net's arithmetic to the bit; slower, and needs more memory",
    )
    group.add_argument(
        "--save-probabilities",
        "--save_probabilities",
        action="store_true",
        help="write the outputs of all classes too",
    )
    group.add_argument(
        "--probabilities-format",
        choices=("b2nd", "npz"),
        help="b2nd: 8 bits, compressed, with a JSON file; npz: nnU-Net's, large",
    )
    group.add_argument(
        "--uncertainty",
        action="store_true",
        help="also a number of each case in uncertainty.json, 0 to 1, that says how "
        "sure it is; of label maps, an image of where folds and mirrors disagree",
    )
    group.add_argument(
        "--prev-stage-predictions",
        "-prev_stage_predictions",
        type=Path,
        metavar="FOLDER",
        help="cascade: predictions of the stage before; by default made on the way",
    )
    _add_for_some(group)


def _add_mirrored(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--disable-tta",
        "--disable_tta",
        action="store_true",
        help="do not average over mirrored copies: faster, a little less accurate",
    )
    group.add_argument(
        "--tta",
        nargs="?",
        const="all",
        choices=("all", "opposite"),
        help="average over all mirrored copies, as by default of all but instances: "
        "four or eight times slower, a little more accurate; opposite: over the one "
        "that is mirrored along all axes at once, as of instances in volumes",
    )


def _window(text: str) -> str | tuple[int, ...]:
    """Read edges such as 64,128,128 or 64x128x128, or auto."""
    words = text.strip().lower().replace("x", ",").split(",")
    if words == ["auto"]:
        return "auto"
    if not all(word.strip().isdigit() for word in words):
        raise argparse.ArgumentTypeError(
            f"{text!r}: give edges such as 64,128,128, or auto"
        )
    return tuple(int(word) for word in words)


def _add_for_some(group: Any) -> None:
    """Declare what is for some tasks or networks only."""
    group.add_argument(
        "--decoder",
        metavar="NAME",
        help="landmarks: how the place between voxels is found; by default the plan's",
    )
    group.add_argument(
        "--copies",
        type=int,
        default=1,
        metavar="N",
        help="landmarks: average over N copies of the image, turned and scaled a "
        "little, itself counted: N times slower, a little more accurate; 5 is a good "
        "number, default %(default)s",
    )
    group.add_argument(
        "--diameter",
        type=float,
        metavar="LENGTH",
        help="instances: how large they usually are in these images, in pixels (in the "
        "unit of the model, where it has one); by default the model's size, or what "
        "it finds itself, if it can",
    )
    group.add_argument(
        "--prune",
        metavar="DEPTH",
        help="unetpp: stop at this depth of the decoder, 1, 2, ..., which is faster; "
        "mean: average the outputs of all depths",
    )


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
        "derivatives of a BIDS data set. Landmarks: rtstruct, beside the .json",
    )
