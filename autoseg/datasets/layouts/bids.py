"""A BIDS data set as dataset.json: images of subjects, derivatives as annotations.

Annotations are ``derivatives/NAME/sub-*/[ses-*/]anat/*_dseg.nii.gz`` (or ``_mask``);
which values are which classes says the nearest ``dseg.tsv``. The key ``bids`` of a
dataset.json in the folder says what is meant where there are several.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from autoseg.datasets.layouts.names import (
    ENDINGS,
    BidsName,
    images_in,
    is_bids,
    parse,
)
from autoseg.errors import DatasetError, some_of
from autoseg.outputs import JOURNAL
from autoseg.spec.foreign.place import files_below

KEY = "bids"
OPTIONS = ("derivatives", "suffixes", "annotations")
DSEG, MASK = "dseg", "mask"


def described(folder: Path, raw: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return dataset.json with what a BIDS data set says of itself.

    Parameters
    ----------
    folder : Path
        Of the data set.
    raw : mapping or None
        dataset.json, if there is one; what it says counts.

    Returns
    -------
    dict or None
        With ``dataset``, ``channel_names``, ``labels``, ``groups`` and ``colors``.
        None: it is not BIDS, or nobody asks.

    Raises
    ------
    DatasetError
        If it is not clear which annotations are meant.
    """
    if raw is None and not is_bids(folder):
        return None
    if raw is not None and KEY not in raw:
        return None
    asked = (raw or {}).get(KEY) or {}
    wrong = not isinstance(asked, dict) or any(key not in OPTIONS for key in asked)
    if wrong:
        raise DatasetError(
            f"{folder / 'dataset.json'}: `{KEY}` is {asked!r}; it may have "
            f"{', '.join(OPTIONS)}, such as "
            '{"derivatives": "manual", "suffixes": ["T1w"]}.'
        )
    found = _Found(folder, asked)
    return {**found.description(named="labels" in (raw or {})), **(raw or {})}


class _Found:
    """What lies in a BIDS data set."""

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self.folder = folder
        self.kind = str(asked.get("annotations", DSEG))
        self.images = self._images(asked.get("suffixes"))
        self.annotations = self._annotations(asked.get("derivatives"))
        suffixes = [set(self.images.get(case, {})) for case in self.annotations]
        common = set.intersection(*suffixes) if suffixes else set()
        self.suffixes = [s for s in asked.get("suffixes") or sorted(common)]
        missing = [s for s in self.suffixes if s not in common]
        if not self.suffixes or missing:
            there = sorted({s for of in suffixes for s in of})
            raise DatasetError(
                f"{folder}: no image is there for all annotated cases; there are "
                f"{some_of(there)}. Say which are the channels in dataset.json: "
                f'{{"bids": {{"suffixes": ["{there[0] if there else "T1w"}"]}}}}.'
            )

    def _images(self, suffixes: Any) -> dict[str, dict[str, Path]]:
        """Return the image of each suffix, by case."""
        found: dict[str, dict[str, Path]] = defaultdict(dict)
        for path, name in images_in(self.folder).items():
            if name.suffix not in (DSEG, MASK) and (
                not suffixes or name.suffix in suffixes
            ):
                found[name.case].setdefault(name.suffix, path)
        return dict(found)

    def _annotations(self, pipeline: Any) -> dict[str, Path]:
        """Return the annotation of each case that has an image."""
        by_case: dict[str, dict[str, list[Path]]] = defaultdict(dict)
        root, own = self.folder / "derivatives", set()
        wanted = f"sub-*_{self.kind}.nii*"
        for path in files_below(root) if root.is_dir() else ():
            if not path.match(wanted):
                continue
            name = parse(path.name)
            if name is None or not path.name.endswith(ENDINGS):
                continue
            place = path.relative_to(root).parts[0]
            place = "" if place.startswith("sub-") else place
            if pipeline is None and (path.parent / JOURNAL).is_file():
                own.add(place)  # predictions of autoseg teach only who says so
            elif pipeline in (None, place) and name.case in self.images:
                by_case[name.case].setdefault(place, []).append(path)
        several = {c: of for c, of in by_case.items() if sum(map(len, of.values())) > 1}
        if several:
            case, of = next(iter(several.items()))
            files = [str(p.relative_to(self.folder)) for ps in of.values() for p in ps]
            raise DatasetError(
                f"{self.folder}: {case} has several annotations, {some_of(files)}. Say "
                "which derivatives are meant in dataset.json: "
                f'{{"bids": {{"derivatives": "{next(iter(of))}"}}}}.'
            )
        if not by_case:
            raise DatasetError(
                f"{self.folder} has no annotation: no derivatives/NAME/sub-*/anat/"
                f"*_{self.kind}.nii.gz belongs to an image of a subject."
                f"{self._what_else(own)}"
            )
        return {c: next(iter(of.values()))[0] for c, of in sorted(by_case.items())}

    def _what_else(self, own: Set[str]) -> str:
        """Return what derivatives there are that may be meant, a sentence or two."""
        if own:
            said = f'{{"bids": {{"derivatives": "{min(own)}"}}}}'
            return (
                f" Predictions of autoseg ({some_of(sorted(own))}) are none; if they "
                f"were corrected, say {said} in dataset.json."
            )
        files = (self.folder / "derivatives").glob("**/sub-*.nii*")
        names = [name for name in (parse(path.name) for path in files) if name]
        others = sorted({name.suffix for name in names} - {self.kind})
        if MASK in others or DSEG in others:
            other = MASK if MASK in others else DSEG
            said = f'{{"bids": {{"annotations": "{other}"}}}}'
            return f" There are *_{other}.nii.gz: say {said} in dataset.json."
        cases = sorted({name.case for name in names if name.suffix == self.kind})
        if cases:
            return (
                f" Those that are there are of {some_of(cases)}, and images of "
                f"{some_of(sorted(self.images)) or 'none'}."
            )
        return f" There are *_{some_of(others)}.nii.gz." if others else ""

    def description(self, named: bool) -> dict[str, Any]:
        """Return what dataset.json would say; ``named``: its own `labels` count."""
        first = next(iter(self.annotations.values()))
        table, rows = (None, []) if named else self._one_table()
        labels: dict[str, int] = {"background": 0}
        if self.kind == MASK:
            name = parse(first.name)
            labels[name.entities.get("label", MASK) if name else MASK] = 1
        for row in (row for row in rows if row["index"] != "0"):
            if labels.get(row["name"], int(row["index"])) != int(row["index"]):
                raise DatasetError(
                    f"{table} gives the name {row['name']!r} to several values. Give "
                    "each its own, or write `labels` in dataset.json."
                )
            labels[row["name"]] = int(row["index"])
        if len(labels) == 1 and not named:
            raise DatasetError(
                f"{first} has no dseg.tsv that says which value is what (columns index "
                "and name), beside it or above. Write one, or `labels` in dataset.json "
                'such as {"bids": {}, "labels": {"background": 0, "lesion": 1}}.'
            )
        colors = {row["name"]: row["color"] for row in rows if row.get("color")}
        return {
            "channel_names": {str(n): s for n, s in enumerate(self.suffixes)},
            "labels": labels,
            "groups": {case: case.split("_")[0] for case in self.annotations},
            **({"colors": colors} if colors else {}),
            "dataset": {
                case: {
                    "images": [self._name(self.images[case][s]) for s in self.suffixes],
                    "label": self._name(path),
                }
                for case, path in self.annotations.items()
            },
        }

    def _one_table(self) -> tuple[Path | None, list[dict[str, str]]]:
        """Return the table of values that all annotations have, and its rows.

        Raises
        ------
        DatasetError
            If some have other tables, which say otherwise.
        """
        of: dict[Path | None, list[str]] = defaultdict(list)
        for case, path in self.annotations.items():
            of[_table(path, self.folder)].append(case)
        rows = {table: _rows(table) if table else [] for table in of}
        (first, said), *others = (
            (table, {(r["index"], r["name"]) for r in found})
            for table, found in rows.items()
        )
        for table, other in others:
            if other != said:
                raise DatasetError(
                    f"{first or 'no table'} and {table or 'no table'} say differently "
                    f"which value is what ({some_of(of[table])}). Write one dseg.tsv "
                    "for all, and annotations with its values."
                )
        return first, rows[first]

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))


def _table(annotation: Path, folder: Path) -> Path | None:
    """Return the table that says what values are: the nearest, beside or above."""
    name = parse(annotation.name)
    place = annotation.parent
    while True:
        for path in sorted(place.glob(f"*{DSEG}.tsv")):
            if _applies(path, name):
                return path
        if place in (folder, place.parent):
            return None
        place = place.parent


def _applies(table: Path, name: BidsName | None) -> bool:
    """Return whether a table holds for a file: all that its name says is the file's."""
    stem = table.name.removesuffix(".tsv")
    said = dict(part.split("-", 1) for part in stem.split("_")[:-1] if "-" in part)
    return name is not None and said.items() <= name.entities.items()


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {key: (value or "").strip() for key, value in row.items() if key}
                for row in csv.DictReader(file, delimiter="\t")
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is no table ({error}). Mend it.") from None
    bad = [r for r in rows if not r.get("name") or not r.get("index", "").isdigit()]
    if bad or not rows:
        raise DatasetError(
            f"{path} must have the columns index (a whole number) and name in each "
            "row. Mend it."
        )
    return [
        {k: "" if v == "n/a" and k == "color" else v for k, v in r.items()}
        for r in rows
    ]
