"""The keys of dataset.json, one by one; what is wrong is collected."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.groups import Splits, group_finder, read_splits
from autoseg.datasets.layouts.bids import described
from autoseg.datasets.layouts.names import is_bids
from autoseg.datasets.layouts.patterns import without_patterns
from autoseg.datasets.series.choice import SeriesChoice, choice_of
from autoseg.errors import DatasetError
from autoseg.formats import FORMATS
from autoseg.spec.dataset import Case, annotated_in, entries_of
from autoseg.spec.foreign.json import doubled_keys
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.foreign.units import UNITS, unit_of
from autoseg.spec.image import CROPS, NONZERO
from autoseg.spec.json import load_json

READERS = {  # nnU-Net's readers, and the formats with their conventions
    "SimpleITKIO": "itk",
    "SimpleITKIOWithReorient": "itk_ras",
    "NibabelIO": "nibabel",
    "NibabelIOWithReorient": "nibabel_ras",
    "NaturalImage2DIO": "natural",
    "Tiff3DIO": "tiff_plain",
}
ENDING = re.compile(r"[\w.+-]+")  # no path: it would lead out of the folder
SPLIT_FILES = ("splits.json", "splits_final.json")  # ours, and nnU-Net's
KEYS = (
    "annotated",
    "annotation_ending",
    "bids",
    "channel_names",
    "codes",
    "colors",
    "components",
    "coordinates",
    "crop",
    "crowds",
    "dataset",
    "diameter",
    "dicom",
    "drawn",
    "file_ending",
    "format",
    "groups",
    "label_ending",
    "labels",
    "landmarks",
    "mirror_pairs",
    "missing_means",
    "modality",
    "numTraining",
    "overwrite_image_reader_writer",
    "regions_class_order",
    "spacing",
    "splits",
    "task",
    "unit",
)


class Description:
    """A dataset.json.

    Parameters
    ----------
    folder : Path
        Where it is.
    raw : mapping, optional
        Its content, if it was read already: a model keeps a copy.

    Attributes
    ----------
    raw : dict
        As it is.
    problems : list of str
        What was wrong with the keys that were asked for.

    Raises
    ------
    DatasetError
        If there is none, or it is no JSON object.
    """

    def __init__(self, folder: Path, raw: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.problems: list[str] = []
        if raw is not None:
            self.raw: dict[str, Any] = dict(raw)
            return
        file = folder / "dataset.json"
        raw = None
        if file.is_file() or not is_bids(folder):
            raw = load_json(file, error=DatasetError)
            if not isinstance(raw, dict):
                raise DatasetError(
                    f"{file} holds a {type(raw).__name__}, not an object in braces. "
                    "Copy one from datasets_template/."
                )
            self.problems += [
                f"`{key}` stands there twice, and only the last would count"
                for key in doubled_keys(file)
            ]
        self.raw = described(folder, raw) or raw or {}

    def text(self, key: str) -> str | None:
        """Return a text, None if it is not given."""
        value = self.raw.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            self.problems.append(f"`{key}` is {value!r}; it must be a text")
            return None
        return value

    def ending(self, *keys: str) -> str | None:
        """Return the first of these keys that is given, with a dot in front."""
        given = ((key, self.text(key)) for key in keys)
        key, value = next(((k, v) for k, v in given if v is not None), ("", None))
        if value is not None and not ENDING.fullmatch(value):
            self.problems.append(
                f"`{key}` is {value!r}; it must be the end of a file's name, such as "
                ".nii.gz"
            )
            return None
        return value if value is None or value.startswith(".") else f".{value}"

    def channel_names(self) -> tuple[str, ...]:
        """Return ``channel_names``, older ``modality``, in the order of the channels.

        Empty if they are wrong.
        """
        names = self.raw.get("channel_names", self.raw.get("modality"))
        if isinstance(names, list):
            names = {str(number): name for number, name in enumerate(names)}
        example = 'such as {"0": "T1", "1": "T2"}'
        if not isinstance(names, dict) or not names:
            self.problems.append(f"`channel_names` must name each channel, {example}")
            return ()
        numbers = [str(number) for number in range(len(names))]
        if set(names) != set(numbers):
            self.problems.append(
                f"`channel_names` has the keys {', '.join(map(repr, names))}; "
                f"they must count from 0, {example}"
            )
            return ()
        wrong = [n for n in numbers if not isinstance(names[n], (str, int, float))]
        self.problems += [
            f"`channel_names` calls channel {n} {names[n]!r}; it must be a text"
            for n in wrong
        ]
        return tuple(str(names[number]) for number in numbers)

    def spacing(self) -> tuple[float, ...] | None:
        """Return ``spacing``."""
        value = self.raw.get("spacing")
        if value is None:
            return None
        if not (
            isinstance(value, list)
            and len(value) in (2, 3)
            and all(type(v) in (int, float) and 0 < v < float("inf") for v in value)
        ):
            self.problems.append(
                f"`spacing` is {value!r}; it must be 2 or 3 positive numbers, slowest "
                "axis first, such as [2.0, 0.5, 0.5]"
            )
            return None
        return tuple(float(v) for v in value)

    def unit(self) -> str | None:
        """Return ``unit``."""
        given = self.text("unit")
        if given is None:
            return None
        unit = unit_of(given)
        if not unit.known or not unit.said or unit.factor != 1.0:
            self.problems.append(f"`unit` is {given!r}; there are {', '.join(UNITS)}")
            return None
        return unit.name

    def format(self) -> str | None:
        """Return the format that ``format``, or nnU-Net's key, asks for."""
        name, reader = self.text("format"), self.text("overwrite_image_reader_writer")
        if name is not None:
            key, there = "format", FORMATS.names()
        elif reader not in (None, "None"):
            key, there = "overwrite_image_reader_writer", tuple(READERS)
            name = READERS.get(str(reader), str(reader))
        if name is None or name in FORMATS:
            return name
        self.problems.append(
            f"`{key}` is {self.raw[key]!r}; there are {', '.join(there)}"
        )
        return None

    def crop(self) -> str:
        """Return ``crop``, what images are cropped to."""
        crop = self.raw.get("crop", NONZERO)
        if crop in CROPS:
            return str(crop)
        said = " and ".join(f'"{name}"' for name in CROPS)
        self.problems.append(f"`crop` is {crop!r}; there are {said}")
        return NONZERO

    def series(self, channels: Sequence[str]) -> SeriesChoice:
        """Return ``dicom``, which series of a study is meant."""
        try:
            return choice_of(self.raw, channels)
        except DatasetError as error:
            self.problems.append(str(error))
            return SeriesChoice(channels=tuple(channels))

    def looks(self) -> None:
        """Look at ``colors`` and ``codes`` of classes."""
        try:
            looks_of((), self.raw)
        except DatasetError as error:
            self.problems.append(str(error))

    def groups(self) -> Callable[[str], str | None]:
        """Return a function from a case's id to its group."""
        groups = self.raw.get("groups")
        try:
            return group_finder(groups)
        except DatasetError as error:
            self.problems.append(str(error))
            return group_finder(None)

    def annotated(self) -> Callable[[str, str | None], tuple[str, ...] | None]:
        """Return a function from a case's id and group to its annotated classes."""
        try:
            entries = entries_of(self.raw)
        except DatasetError as error:
            self.problems.append(str(error))
            entries = {}

        def annotated_of(case_id: str, group: str | None) -> tuple[str, ...] | None:
            try:
                return annotated_in(entries, case_id, group)
            except DatasetError as error:
                self.problems.append(str(error))
                return None

        return annotated_of

    def splits(self) -> Splits | None:
        """Return ``splits``, or those of a file by one of the usual names."""
        value, where = self.raw.get("splits"), "`splits`"
        if value is None:
            there = [n for n in SPLIT_FILES if (self.folder / n).is_file()]
            value = there[0] if there else None
        if value is None:
            return None
        try:
            if isinstance(value, str):
                path = resolve(self.folder, value)
                where, value = value, load_json(path, error=DatasetError)
            return read_splits(value, where)
        except DatasetError as error:
            self.problems.append(str(error))
            return None

    def listed_cases(self) -> tuple[Case, ...] | None:
        """Return the cases that the key ``dataset`` lists, None without that key."""
        listed = self.raw.get("dataset")
        if listed is None:
            return None
        if not isinstance(listed, dict):
            self.problems.append("`dataset` must map each case to its files")
            return None
        listed, wrong = without_patterns(self.folder, listed)
        self.problems += wrong
        cases = [self._listed_case(name, listed[name]) for name in sorted(listed)]
        return tuple(case for case in cases if case is not None)

    def _listed_case(self, name: str, entry: Any) -> Case | None:
        if not is_file_name(name):
            self.problems.append(
                f"`dataset` has a case called {name!r}; results are files of that "
                "name, "
                "so it can be no path and not empty"
            )
            return None
        given = entry if isinstance(entry, dict) else {}
        images, label = given.get("images"), given.get("label")
        names = [images] if isinstance(images, str) else images
        good = isinstance(names, list) and names and isinstance(label, str)
        if not good or not all(isinstance(image, str) for image in names or ()):
            self.problems.append(
                f"`dataset` has {name!r}: {json.dumps(entry)[:60]}; it must be "
                '{"images": ["FILE OF CHANNEL 0", ...], "label": "FILE"}'
            )
            return None
        return Case(
            id=name,
            images=tuple(resolve(self.folder, image) for image in names or ()),
            annotation=resolve(self.folder, str(label)),
        )

    def misspelled(self) -> dict[str, str]:
        """Return keys that nobody knows, each with the known one that it is near to."""
        near = {
            key: difflib.get_close_matches(key, KEYS, n=1, cutoff=0.8)
            for key in self.raw
            if key not in KEYS
        }
        return {key: match[0] for key, match in near.items() if match}


def is_file_name(name: str) -> bool:
    """Return whether files may be called so on any system: no path, and not empty."""
    return bool(name.strip(". ")) and not any(letter in name for letter in "/\\\0")


def resolve(folder: Path, name: str) -> Path:
    """Return a path of dataset.json: variables expanded, relative to the data set."""
    return Path(os.path.normpath(folder / os.path.expandvars(name)))
