"""nnU-Net v2's dataset.json and dataset_fingerprint.json as ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoseg.errors import DatasetError
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset
from autoseg.spec.fingerprint import Fingerprint, Intensity
from autoseg.tasks import choose_task


def fingerprint_from_nnunet(
    dataset: Mapping[str, Any], fingerprint: Mapping[str, Any], name: str = "nnunet"
) -> tuple[Fingerprint, Choice]:
    """Return nnU-Net's fingerprint as ours, with the task.

    Parameters
    ----------
    dataset : mapping
        nnU-Net's dataset.json.
    fingerprint : mapping
        nnU-Net's dataset_fingerprint.json. Two-dimensional data have a first axis of
        length 1 there, with a spacing that is at least 999; ours have none.
    name : str
        Name of the data set.

    Returns
    -------
    fingerprint : Fingerprint
        In millimeters, or pixels for two-dimensional data.
    task : Choice
        ``semantic``, with the options in ``dataset``.

    Raises
    ------
    DatasetError
        If a key is missing or the labels are wrong.
    """
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, Mapping):
        raise DatasetError(
            "nnU-Net's dataset.json has neither channel_names nor modality."
        )
    channels = tuple(str(names[key]) for key in sorted(names, key=int))
    try:
        spacings = [tuple(map(float, row)) for row in fingerprint["spacings"]]
        shapes = [tuple(map(int, row)) for row in fingerprint["shapes_after_crop"]]
        cropped = float(fingerprint["median_relative_size_after_cropping"])
        measured = fingerprint["foreground_intensity_properties_per_channel"]
        cases = int(dataset["numTraining"])
    except KeyError as error:
        raise DatasetError(f"nnU-Net's files have no key {error}.") from None
    flat = all(n[0] == 1 and s[0] >= 999 for n, s in zip(shapes, spacings, strict=True))
    if flat:
        spacings, shapes = [s[1:] for s in spacings], [n[1:] for n in shapes]
    described = Dataset(
        name=name,
        folder=Path(name),
        task="semantic",
        channel_names=channels,
        image_ending=str(dataset.get("file_ending", "")),
        annotation_ending=str(dataset.get("file_ending", "")),
        raw=dataset,
    )
    task = choose_task(described)
    return (
        Fingerprint(
            dataset=name,
            unit="px" if flat else "mm",
            channel_names=channels,
            num_cases=cases,
            shapes=tuple(shapes),
            spacings=tuple(spacings),
            relative_size_after_crop=cropped,
            intensities=tuple(
                _intensity(measured[key]) for key in sorted(measured, key=int)
            ),
        ),
        task,
    )


def _intensity(numbers: Mapping[str, float]) -> Intensity:
    keys = ("mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5")
    found: dict[str, Any] = {key: float(numbers[key]) for key in keys}
    return Intensity(**found)
