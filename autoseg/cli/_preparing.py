"""Arguments of all commands that preprocess."""

from __future__ import annotations

import argparse

from autoseg.preprocess.packing import PRECISIONS


def add_preparing(parser: argparse.ArgumentParser) -> None:
    """Declare which configurations are preprocessed, and how they are stored."""
    parser.add_argument(
        "-c",
        "--configurations",
        nargs="+",
        metavar="NAME",
        help="such as 2d or 3d_fullres; by default all that the plan has",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="in which images are stored; auto: float16 unless a value is too large",
    )
