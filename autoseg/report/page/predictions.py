"""What a page says of predictions without annotation, and which are unlike training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.datasets.annotations import read_prediction
from autoseg.errors import UsageError
from autoseg.formats.base import read_image
from autoseg.parallel import map_cases
from autoseg.predict.drift import unlike_fingerprint, unlike_inside
from autoseg.report.artist import Artist
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Image

USUAL = 0.95  # of the training cases: what is in as many is missed in a prediction


def describe_predictions(
    folder: Path,
    images: Sequence[Case],
    dataset: Dataset,
    fingerprint: Mapping[str, Any],
    workers: int | None = None,
) -> dict[str, Any]:
    """Return volumes of predictions without annotation, and what is odd about images.

    Parameters
    ----------
    folder : Path
        Of predictions.
    images : sequence of Case
        Cases with their images; those that were not predicted are left out.
    dataset : Dataset
        Says how files are read and what labels mean.
    fingerprint : mapping
        Of the training data, as in its file.
    workers : int, optional
        Cases at a time.

    Returns
    -------
    dict of str to JSON value
        ``cases``: a row for each, with shape, spacing, volume by class, and warnings
        where spacing, size or intensities are unlike those of training.

    Raises
    ------
    UsageError
        If no prediction belongs to an image.
    CaseErrors
        If some could not be read.
    """
    artist = Artist(dataset=dataset)
    kind = artist.kind
    predicted = artist.predictions(folder)
    cases = {case.id: case for case in images if case.id in predicted}
    if not cases:
        raise UsageError(
            f"{folder} has no prediction of any image that is known; give the folder "
            "of the images (--images)."
        )

    def describe(name: str) -> dict[str, Any]:
        image = read_image(cases[name], dataset)
        annotation, _ = read_prediction(
            predicted[name], dataset, artist.task, image=image.geometry, case_id=name
        )
        volumes, found = kind.amounts(annotation, image)
        warnings = unlike_fingerprint(image, fingerprint, dataset.channel_names)
        warnings += _unlike_training(
            image, kind.mask(annotation, image), kind.inside, fingerprint, dataset
        )
        warnings += _not_found(found, fingerprint)
        return {
            "case": name,
            "shape": list(image.geometry.shape),
            "spacing": list(image.geometry.spacing),
            "unit": image.geometry.unit,
            "volumes": volumes,
            "found": sum(found.values()),
            "warnings": warnings,
        }

    rows = map_cases(describe, list(cases), stage="predictions", workers=workers)
    found = list(rows.values())
    unit = f"{found[0]['unit']}{len(found[0]['shape'])}"
    return {
        "folder": str(folder),
        "classes": list(found[0]["volumes"]),
        "objects": kind.objects,
        "volume_unit": unit,
        "warned": sum(bool(row["warnings"]) for row in found),
        "cases": found,
    }


def _unlike_training(
    image: Image,
    inside: NDArray[Any],
    where: str,
    fingerprint: Mapping[str, Any],
    dataset: Dataset,
) -> list[str]:
    """Compare intensities where training measured them, too."""
    known = fingerprint.get("intensities") or ()
    return [
        sentence
        for channel, numbers, name in zip(
            image.array, known, dataset.channel_names, strict=False
        )
        for sentence in unlike_inside(channel[inside], numbers, name, where)
    ]


def _not_found(found: Mapping[str, int], fingerprint: Mapping[str, Any]) -> list[str]:
    """Name classes and landmarks that nearly every training case has, and this not."""
    measured, cases = fingerprint["annotation"], fingerprint["num_cases"]
    there: dict[str, int] = {}
    for name, numbers in (measured.get("classes") or {}).items():
        if isinstance(numbers, Mapping):
            there[name] = numbers.get("cases_present") or 0
    for name, numbers in (measured.get("status") or {}).items():
        there[name] = numbers["present"]
    return [
        f"{name} was not found; it is in {there[name]} of {cases} training cases."
        for name, count in found.items()
        if not count and there.get(name, 0) >= USUAL * cases
    ]
