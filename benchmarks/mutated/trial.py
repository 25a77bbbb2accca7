"""What a mutation gets: the data set, chance, and the files to choose from.

A mutation is a function that takes a `Made` and changes its folder; it returns what it
did, in a few words, or nothing where it does not fit the data set.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
import tifffile
from PIL import Image

from .toys import SPACING, save

MUTATIONS: dict[str, Callable[[Made], str | None]] = {}


def mutation(function: Callable[[Made], str | None]) -> Callable[[Made], str | None]:
    """Enter a mutation under its name."""
    MUTATIONS[function.__name__] = function
    return function


@dataclass(frozen=True)
class Made:
    """A data set that is to be spoilt.

    Parameters
    ----------
    folder : Path
        With dataset.json, imagesTr and labelsTr or one file of annotations.
    kind : str
        Its name in `toys.KINDS`.
    random : Generator
        All chance of the trial.
    """

    folder: Path
    kind: str
    random: np.random.Generator

    @property
    def task(self) -> str:
        """Semantic, instance or landmark."""
        return self.kind.partition("_")[0]

    def pick(self, values: Any) -> Any:
        """Return one of some values, each as likely."""
        return values[int(self.random.integers(len(values)))]

    def image(self) -> Path | None:
        """Return an image of training, if one is left."""
        found = sorted(p for p in self.folder.glob("imagesTr/*") if p.is_file())
        return self.pick(found) if found else None

    def label(self) -> Path | None:
        """Return a file of annotations, of any kind."""
        found = [p for p in self.folder.glob("labelsTr/**/*") if p.is_file()]
        found += self.folder.glob("labelsTr.*")
        return self.pick(sorted(found)) if found else None

    def map(self) -> Path | None:
        """Return a file of annotations that is an image."""
        found = sorted(
            p
            for p in self.folder.glob("labelsTr/**/*")
            if p.is_file() and p.suffix not in (".json", ".csv")
        )
        return self.pick(found) if found else None

    def text(self) -> Path | None:
        """Return a file of annotations that is text."""
        found = sorted(
            p
            for p in self.folder.rglob("*")
            if p.name.startswith(("labelsTr", "case")) and p.suffix in (".json", ".csv")
        )
        return self.pick(found) if found else None

    def either(self) -> Path | None:
        """Return an image or a file of annotations."""
        return self.image() if self.random.random() < 0.5 else self.label()

    def describe(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what dataset.json says, if it still is an object."""
        path = self.folder / "dataset.json"
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(known, dict):
            change(known)
            path.write_text(json.dumps(known), encoding="utf-8")

    def set(self, key: str, value: Any) -> str:
        """Set a field of dataset.json."""
        self.describe(lambda known: known.update({key: value}))
        return f"{key} = {json.dumps(value)[:60]}"


def voxels(path: Path) -> Any | None:
    """Return the array of a file, slowest axis first; nothing if it is spoilt."""
    name = path.name.lower()
    try:
        if name.endswith((".nii.gz", ".nii")):
            return np.asarray(nibabel.load(path).dataobj).T  # type: ignore[attr-defined]
        if name.endswith((".nrrd", ".mha")):
            return sitk.GetArrayFromImage(sitk.ReadImage(path))
        if name.endswith((".tif", ".tiff")):
            return tifffile.imread(path)
        return np.array(Image.open(path))
    except Exception:  # whatever was done to it before
        return None


def change_voxels(
    path: Path | None, change: Callable[[Any], Any], floats: bool = False
) -> bool:
    """Read a file, change its array and write it; return whether that could be done."""
    if path is None:
        return False
    eight_bits = path.suffix.lower() in (".png", ".jpg", ".bmp")
    if floats and eight_bits:
        return False
    found = voxels(path)
    if found is None or not np.size(found):
        return False
    try:
        changed = change(np.array(found, np.float32) if floats else found.copy())
        save(path, changed, SPACING if changed.ndim == len(SPACING) else None)
    except (ValueError, IndexError, TypeError, OSError, RuntimeError):
        return False  # of no such shape, or a type that the format has not
    return True
