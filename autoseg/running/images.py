"""New images that a run predicts at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError
from autoseg.spec.dataset import Dataset


def new_images(described: Dataset, images: Any) -> list[Any]:
    """Return images to predict."""
    if images is None:
        return [case.images for case in described.test]
    folder = Path(images)
    if not folder.exists():
        raise UsageError(f"--images {folder} is not there.")
    return [folder]


def count_of(new: Sequence[Any], described: Dataset) -> int:
    """Return how many images there are to predict, by the files that each has."""
    if len(new) == 1 and isinstance(new[0], Path) and new[0].is_dir():
        files = sum(path.is_file() for path in new[0].iterdir())
        each = max((len(case.images) for case in described.training[:1]), default=1)
        return math.ceil(files / max(1, each))
    return len(new)
