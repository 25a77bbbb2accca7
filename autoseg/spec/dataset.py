"""dataset.json: what the user says about a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoseg.spec.image import NONZERO


@dataclass(frozen=True, kw_only=True)
class Case:
    """One image with its annotation.

    Parameters
    ----------
    id : str
        Unique name of the case.
    images : tuple of Path
        One file for each channel, or one that holds all of them.
    annotation : Path or None
        What a person drew; None where only an image is there.
    group : str or None
        Cases of one group (a patient) never sit on both sides of a split.
    """

    id: str
    images: tuple[Path, ...]
    annotation: Path | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set folder, read and understood.

    Parameters
    ----------
    name : str
        The folder's name.
    folder : Path
        Where dataset.json is.
    task : str
        A file in ``autoseg/tasks``; ``"semantic"`` where dataset.json is silent.
    channel_names : tuple of str, length C
        In the order of the channels.
    image_ending, annotation_ending : str
        With the dot, such as ``".nii.gz"``.
    spacing : tuple of float or None
        For formats that carry none; slowest axis first.
    unit : str or None
        Unit of ``spacing``; None: what the format says.
    format : str or None
        A file in ``autoseg/formats`` that the user asks for; None: by the ending.
    lengths : str or None
        Unit that all images are measured in, where their files are in several: those
        in another are converted. None: as each file says.
    crop : str
        What images are cropped to: ``"nonzero"``, the box of voxels that are not 0, or
        ``"none"``.
    raw : mapping
        dataset.json as it is; a task reads its own keys (``labels``,
        ``regions_class_order``, ``landmarks``, ...) from here.
    training : tuple of Case
        Sorted by id.
    test : tuple of Case
        Cases of imagesTs, without annotation.
    splits : tuple of (tuple of str, tuple of str) or None
        Training and validation ids of each fold, when the user gives them.
    """

    name: str
    folder: Path
    task: str
    channel_names: tuple[str, ...]
    image_ending: str
    annotation_ending: str
    spacing: tuple[float, ...] | None = None
    unit: str | None = None
    format: str | None = None
    lengths: str | None = None
    crop: str = NONZERO
    raw: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[Case, ...] = ()
    test: tuple[Case, ...] = ()
    splits: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] | None = None

    def case(self, case_id: str) -> Case:
        """Return the training or test case of this id."""
        return next(c for c in (*self.training, *self.test) if c.id == case_id)
