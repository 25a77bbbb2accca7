"""How sure predictions are: an image, and one number for each case.

Of label maps, it is how far folds and mirrored copies disagree, or, of one fold
without mirrored copies, how far its probabilities are from certain. Each fold sees each
mirrored copy of a window, and where they disagree (see `windows.disagreement`)
is averaged over windows like one more output.

The number is the Dice that two opinions would be expected to have with each other
over the whole foreground: 1 - D / 2 V, with D the sum of the disagreement and V the
voxels of the predicted foreground. It needs no annotation and falls where predictions
should be looked at; the idea of judging a case by the agreement of samples is that of
Roy et al., "Bayesian QuickNAT", NeuroImage 195, 2019,
doi:10.1016/j.neuroimage.2019.03.042.

Of instances and landmarks, the number is the mean score of what was found; there is no
image.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from autoseg.evaluate.ranks import pearson, spearman
from autoseg.geometry.resample import resample_outputs
from autoseg.predict.job import Job
from autoseg.predict.windows.canvas import Canvas
from autoseg.predict.windows.window import Block
from autoseg.preprocess.placement import Placement
from autoseg.spec.configuration import Resampling
from autoseg.spec.json import dumps, load_object, write_text

Array = NDArray[Any]


class Doubt:
    """Collects the disagreement of one image, and brings it to the image's own grid."""

    def __init__(self) -> None:
        self.map: Array = np.zeros(0, np.float32)
        self.quality = math.nan
        self._collected: torch.Tensor | None = None

    def open(self, shape: Sequence[int]) -> None:
        """Begin to collect.

        Parameters
        ----------
        shape : sequence of int
            Of the network's grid.
        """
        self._collected = torch.zeros((1, *shape), dtype=torch.float16)

    def take(self, block: Block) -> Block:
        """Take the last output out of finished rows.

        Parameters
        ----------
        block : Block
            Its last output is the disagreement.

        Returns
        -------
        Block
            Without it.
        """
        if self._collected is None:
            raise ValueError("open it first")
        size = block.stop - block.start
        rows = self._collected.narrow(block.axis + 1, block.start, size)
        rows.copy_(block.logits[-1:])
        return replace(block, logits=block.logits[:-1])

    def place(self, placement: Placement, resampling: Resampling) -> None:
        """Bring what was collected to the image's own grid: ``map``, float32 (*G)."""
        if self._collected is None:
            return
        resampled = resample_outputs(
            self._collected.float().numpy(),
            placement.cropped_shape,
            placement.spacing,
            placement.cropped_spacing,
            resampling,
        )
        self._collected = None
        self.map = np.zeros(placement.geometry.shape, np.float32)
        Canvas(self.map, placement).put(np.asarray(resampled[0], np.float32), 0, 0)

    def judge(self, foreground: NDArray[np.bool_]) -> None:
        """Set ``quality`` from the map and the predicted foreground, (*G)."""
        self.quality = expected_dice(self.map, foreground)


def mean_score(scores: ArrayLike) -> float:
    """Return the mean score of all points or instances that were found.

    Parameters
    ----------
    scores : array-like of float, shape (N,)
        NaN where one is not known.

    Returns
    -------
    float
        From 0 to 1; NaN if nothing was found or nothing has a score.
    """
    known = np.asarray(scores, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else math.nan


def expected_dice(disagreement: Array, foreground: NDArray[np.bool_]) -> float:
    """Return the Dice that two opinions are expected to have with each other.

    Parameters
    ----------
    disagreement : ndarray of float, shape S
        From 0 to 1.
    foreground : ndarray of bool, shape S
        Where something was predicted.

    Returns
    -------
    float
        From 0 to 1; NaN where nothing is predicted.

    Examples
    --------
    >>> import numpy as np
    >>> round(expected_dice(np.array([0.5, 0.1, 0, 0]), np.array([1, 1, 1, 0]) > 0), 3)
    0.9
    """
    voxels = int(np.count_nonzero(foreground))
    if not voxels:
        return math.nan
    total = float(disagreement.sum(dtype=np.float64))
    return max(0.0, 1.0 - total / (2 * voxels))


class Qualities:
    """The numbers of all cases in a JSON file, which is complete at any moment.

    Parameters
    ----------
    path : Path
        The file; what is in it already stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.values: dict[str, float] = load_qualities(path)

    def add(self, case: str, quality: float) -> None:
        """Write the number of one more case."""
        with self._lock:
            self.values[case] = quality
            self.write()

    def write(self, **more: Any) -> None:
        """Write the file, with more entries if they are given."""
        values = {
            case: None if math.isnan(value) else float(f"{value:.6g}")
            for case, value in sorted(self.values.items())
        }
        write_text(self.path, dumps({"quality": values, **more}))


def load_qualities(path: Path) -> dict[str, float]:
    """Return the numbers in a file by case; none if there is no file."""
    if not path.is_file():
        return {}
    values = load_object(path).get("quality", {})
    return {c: math.nan if v is None else float(v) for c, v in values.items()}


def correlation(
    qualities: Mapping[str, float], scores: Mapping[str, float]
) -> dict[str, float | int | None]:
    """Return how well the numbers rank the cases by what is true of them.

    Parameters
    ----------
    qualities : mapping of str to float
        By case.
    scores : mapping of str to float
        Such as the true Dice.

    Returns
    -------
    dict of str to float or int or None
        ``"spearman"`` and ``"pearson"``, None where fewer than three cases have both
        or all are equal, and ``"cases"``.
    """
    both = [c for c in qualities if c in scores]
    pairs = np.array([(qualities[c], scores[c]) for c in both]).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    found: dict[str, float | int | None] = {
        "spearman": None,
        "pearson": None,
        "cases": len(pairs),
    }
    if len(pairs) >= 3 and (np.ptp(pairs, axis=0) > 0).all():
        found["spearman"] = round(spearman(*pairs.T), 4)
        found["pearson"] = round(pearson(*pairs.T), 4)
    return found


def doubt_file(job: Job, ending: str) -> Path:
    """Return the image of a case's uncertainty, apart from the predictions."""
    return job.output.parent / "uncertainty" / f"{job.case.id}{ending}"
