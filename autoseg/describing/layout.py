"""Which files of a folder are images, and which annotate them, in any layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from autoseg.datasets.filenames import refuse_names
from autoseg.describing.drawn import looks_drawn
from autoseg.describing.pairs import Found, pair
from autoseg.describing.roles import (
    EDGES,
    all_endings,
    is_drawn,
    is_image,
    is_shown,
    is_test,
    stem_of,
)
from autoseg.errors import DatasetError, UsageError, some_of
from autoseg.formats.base import match_ending
from autoseg.spec.foreign.place import refuse

WRITTEN = ("dataset.json", "dataset.png", "splits.json", "splits_final.json")
FOREIGN = ("autoseg_root", "__MACOSX")
DEEPEST = 6  # folders inside of each other
LEAST_SHARE = 0.5  # of names that two folders have in common to be pairs

Sorted = tuple[list[Path], list[Path]]


def find_layout(
    folder: Path, images: Sequence[str] = (), annotations: Sequence[str] = ()
) -> Found:
    """Find images with their annotations.

    Parameters
    ----------
    folder : Path
        Where they are, in whatever layout.
    images, annotations : sequence of str
        Folders, files or patterns with ``*``, relative to ``folder``, where the names
        do not say it.

    Returns
    -------
    Found
        At least one case.

    Raises
    ------
    DatasetError
        If nothing could be paired; says what is there and what to do.
    UsageError
        If a pattern fits nothing.
    """
    files = list_tree(folder)
    known = [path for path in files if match_ending(path.name, all_endings())]
    if not any(is_image(path) for path in known):
        raise DatasetError(_no_images(folder, files))
    if images or annotations:
        return _as_told(folder, known, images, annotations)
    test = [path for path in known if _in_test(path, folder)]
    training = [path for path in known if path not in set(test)]
    for candidates, aside in ((training, test), (known, [])):
        for reading in READINGS:
            shown, drawn = reading(folder, candidates)
            if shown and drawn:
                found = pair(folder, shown, drawn)
                if found.cases:
                    return found.with_test(aside)
    raise DatasetError(_no_pairs(folder, known))


def list_tree(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted, without hidden ones and our own."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        deep = len(here.relative_to(folder).parts)
        folders[:] = sorted(
            name
            for name in folders
            if name[0] != "." and name not in FOREIGN and deep < DEEPEST
        )
        kept = [n for n in sorted(names) if n[0] != "." and n not in WRITTEN]
        if here == folder:
            kept = [n for n in kept if not n.startswith("autoseg_")]
        refuse_names(here, kept)
        found += [here / name for name in kept]
    return found


def _as_told(
    folder: Path, known: Sequence[Path], images: Sequence[str], drawn: Sequence[str]
) -> Found:
    """Pair what the user names; one of the two may be left to the names of files."""
    shown = [path for path in _expand(folder, images) if is_image(path)]
    others = [
        path
        for path in _expand(folder, drawn)
        if match_ending(path.name, all_endings())
    ]
    if not images:
        rest = [path for path in known if path not in set(others)]
        shown = [path for path in rest if is_image(path)]
    if not drawn:
        others = [path for path in known if path not in set(shown)]
    found = pair(folder, shown, others)
    if not found.cases:
        raise DatasetError(_no_pairs(folder, [*shown, *others]))
    return found


def _expand(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files that folders, files and patterns name."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        place = Path(os.path.normpath(folder / os.path.expanduser(pattern)))
        if place.is_dir():
            fitting = list_tree(place)
        elif place.is_file():
            fitting = [place]
        else:
            fitting = sorted(p for p in folder.glob(pattern) if p.is_file())
        if not fitting:
            raise UsageError(
                f"{pattern} is no folder, no file and no pattern that fits a file in "
                f"{folder}."
            )
        found.update(dict.fromkeys(fitting))
    return list(found)


def _in_test(path: Path, folder: Path) -> bool:
    return any(is_test(part) for part in path.relative_to(folder).parts[:-1])


def _by_names(folder: Path, files: Iterable[Path]) -> Sorted:
    """Sort by the innermost folder that says a role, and by the file's own name."""
    return _sorted(
        files, lambda path: _folder_role(path, folder) or is_drawn(stem_of(path.name))
    )


def _by_own_names(folder: Path, files: Iterable[Path]) -> Sorted:
    return _sorted(files, lambda path: is_drawn(stem_of(path.name)))


def _by_folders(folder: Path, files: Iterable[Path]) -> Sorted:
    return _sorted(files, lambda path: _folder_role(path, folder))


def _sorted(files: Iterable[Path], drawn: Callable[[Path], bool]) -> Sorted:
    """Return images, and annotations: also all that no image format reads."""
    shown: list[Path] = []
    others: list[Path] = []
    for path in files:
        (others if not is_image(path) or drawn(path) else shown).append(path)
    return shown, others


def _folder_role(path: Path, folder: Path) -> bool:
    for part in reversed(path.relative_to(folder).parts[:-1]):
        if is_drawn(part):
            return True
        if is_shown(part):
            return False
    return False


def _by_suffix(folder: Path, files: Iterable[Path]) -> Sorted:
    """Sort a folder where an annotation is called as its image, and something more."""
    images = [path for path in files if is_image(path)]
    stems = {(path.parent, stem_of(path.name)) for path in images}
    longer: dict[str, list[Path]] = {}
    for path in images:
        stem = stem_of(path.name)
        for place, letter in enumerate(stem):
            if letter in EDGES and (path.parent, stem[:place]) in stems:
                longer.setdefault(stem[place:].lower(), []).append(path)
    drawn = max(longer.values(), key=len, default=[])
    several = len(drawn) > 1 and looks_drawn(drawn[0])
    return _sorted(images, set(drawn).__contains__) if several else ([], [])


def _by_content(folder: Path, files: Iterable[Path]) -> Sorted:
    """Sort two folders whose files have the same names by what is in them."""
    places: dict[Path, list[Path]] = {}
    for path in files:
        if is_image(path):
            places.setdefault(path.parent, []).append(path)
    for one, other in _twins(places):
        drawn = [place for place in (one, other) if looks_drawn(places[place][0])]
        if len(drawn) == 1:
            both = [*places[one], *places[other]]
            return _sorted(both, set(places[drawn[0]]).__contains__)
    return [], []


def _twins(places: dict[Path, list[Path]]) -> list[tuple[Path, Path]]:
    """Return folders that have most of their names in common."""
    stems = {place: {stem_of(p.name) for p in paths} for place, paths in places.items()}
    ordered = sorted(stems)
    return [
        (one, other)
        for number, one in enumerate(ordered)
        for other in ordered[number + 1 :]
        if len(stems[one] & stems[other])
        >= LEAST_SHARE * min(len(stems[one]), len(stems[other]))
    ]


READINGS = (_by_names, _by_own_names, _by_folders, _by_suffix, _by_content)


def _no_images(folder: Path, files: Sequence[Path]) -> str:
    seen = some_of(sorted({path.suffix or path.name for path in files})) or "no file"
    return (
        f"{folder} holds no image that can be read: there is {seen}. Images are "
        ".nii.gz, .nrrd, .mha, .png, .tif, .jpg and others, see docs/dataset.md."
    )


def _no_pairs(folder: Path, files: Sequence[Path]) -> str:
    shown = [path for path in files if is_image(path)]
    others = [path for path in files if not is_image(path)]
    lines = [f"{folder}: which file annotates which image could not be told. There are"]
    for names in ([path for path in shown], others):
        inside = [os.path.relpath(path, folder) for path in names]
        if inside:
            lines.append(f"  {len(inside)}: {some_of(inside, 4)}")
    lines.append(
        "Say where they are: --images FOLDER_OR_PATTERN --annotations "
        "FOLDER_OR_PATTERN. An annotation is called as its image, apart from words "
        "such as image, img, mask, seg, label."
    )
    return "\n".join(lines)
