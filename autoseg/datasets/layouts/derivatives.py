"""Predictions as derivatives of a BIDS data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoseg.atomic import atomically
from autoseg.datasets.layouts.names import DESCRIPTION
from autoseg.outputs import JOURNAL
from autoseg.spec.foreign.looks import Look
from autoseg.spec.json import dumps, write_text

VERSION = "1.10.0"
TABLE, IGNORED = "desc-autoseg_dseg.tsv", ".bidsignore"
BESIDE = ("uncertainty*", "**/uncertainty*", "**/statistics.*", "**/*_preview.png")


def files_of_derivatives(root: Path) -> list[Path]:
    """Return the files that `write_description` writes."""
    return [root / DESCRIPTION, root / TABLE, root / IGNORED]


def write_description(
    root: Path,
    names: Mapping[int, str],
    looks: Mapping[str, Look],
    maker: Mapping[str, Any],
) -> None:
    """Write what makes a folder of label maps a derivative data set.

    Parameters
    ----------
    root : Path
        The folder, such as ``derivatives/autoseg``.
    names : mapping of int to str
        Of the classes by value, background left out.
    looks : mapping of str to Look
        Colors by name.
    maker : mapping
        ``Name`` and ``Version`` of what predicted.
    """
    description = {
        "Name": "Segmentations by autoseg",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [dict(maker)],
    }
    write_text(root / DESCRIPTION, dumps(json.loads(json.dumps(description))))
    rows = ["index\tname\tcolor"]
    rows += [f"{value}\t{name}\t{looks[name].hex}" for value, name in names.items()]
    with atomically(root / TABLE) as temporary:
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with atomically(root / IGNORED) as temporary:
        lines = (JOURNAL, f"**/{JOURNAL}", *BESIDE)
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
