"""From images and annotations to cases."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoseg.datasets.pairing import common_suffixes
from autoseg.datasets.series.choice import CHANNEL
from autoseg.describing.roles import EDGES, identity, is_image, stem_of
from autoseg.errors import AutosegError, DatasetError, some_of
from autoseg.formats.base import known_endings, match_ending
from autoseg.formats.names import image_case
from autoseg.instancefiles.readers import base as instances
from autoseg.pointfiles import base as points
from autoseg.spec.dataset import Case

Key = tuple[str, ...]
LEAST_GROUPS = 5  # as many as there are folds
TABLE, FOLDERS, FILES = "table", "folders", "files"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Images with their annotations.

    Parameters
    ----------
    cases : tuple of Case
        Sorted by id; each with its annotation.
    channels : tuple of str
        What the files of a case are called, in their order; empty where each case has
        one file.
    kind : str
        ``"files"``: one for each case; ``"folders"``: of masks; ``"table"``: one file
        for several cases.
    alone : tuple of Path
        Images and annotations that fit nothing.
    test : tuple of Path
        Files that lie where nothing is to be trained on.
    """

    cases: tuple[Case, ...]
    channels: tuple[str, ...] = ()
    kind: str = FILES
    alone: tuple[Path, ...] = ()
    test: tuple[Path, ...] = field(default=())

    def with_test(self, files: Sequence[Path]) -> Found:
        """Return the same with files that were left for testing."""
        return replace(self, test=tuple(files))


def pair(folder: Path, shown: Sequence[Path], drawn: Sequence[Path]) -> Found:
    """Find the annotation of each image.

    Parameters
    ----------
    folder : Path
        What both have in common, unless they lie elsewhere.
    shown, drawn : sequence of Path
        Images and annotations; the latter may hold other files.

    Returns
    -------
    Found
        Possibly without a case.

    Raises
    ------
    DatasetError
        If an annotation fits two images, or each class has a file of its own.
    """
    base = Path(os.path.commonpath([folder, *(p.parent for p in (*shown, *drawn))]))
    maps = [path for path in drawn if is_image(path)]
    others = [path for path in drawn if not is_image(path)]
    for one in (
        _tables(shown, others),
        _each(base, shown, maps),
        _each(base, shown, others),
    ):
        if one.cases:
            return replace(one, cases=_grouped(one.cases, base, shown))
    _refuse_files_of_classes(base, shown, maps)
    return Found(cases=())


def _tables(shown: Sequence[Path], others: Sequence[Path]) -> Found:
    """Return cases that one file, or a few, annotate by their names."""
    by_name: dict[str, list[Path]] = {}
    for path in shown:
        by_name.setdefault(image_case(path.name), []).append(path)
    cases: dict[str, Case] = {}
    for table in others:
        for name in cases_in(table):
            if name in cases:
                raise DatasetError(
                    f"{name} is annotated in {cases[name].annotation} and in {table}. "
                    "Say which counts: --annotations FILE."
                )
            if name in by_name:
                images = _one(by_name[name], table)
                cases[name] = Case(id=name, images=images, annotation=table)
    used = {path for case in cases.values() for path in case.images}
    alone = tuple(path for path in shown if path not in used)
    ordered = tuple(cases[name] for name in sorted(cases))
    return Found(cases=ordered, kind=TABLE, alone=alone)


def cases_in(path: Path) -> tuple[str, ...]:
    """Return the cases that a file names; none if it is of one, or of no kind."""
    for read in (points.cases_in, instances.cases_in):
        try:
            names = read(path)
        except (AutosegError, OSError, ValueError):
            continue
        if names:
            return names
    return ()


def _one(images: Sequence[Path], annotation: Path) -> tuple[Path, ...]:
    if len(images) > 1:
        raise DatasetError(
            f"{annotation} annotates {some_of(images)}: which one is meant? Say it: "
            "--images FOLDER_OR_PATTERN."
        )
    return tuple(images)


def _each(base: Path, shown: Sequence[Path], drawn: Sequence[Path]) -> Found:
    """Return cases whose annotation is a file, or a folder of masks, of their own."""
    best = Found(cases=())
    if not drawn:
        return best
    images = {path: identity(path, base) for path in shown}
    maps = {path: identity(path, base) for path in drawn}
    for left, right in (
        (images, maps),
        (images, _without_common(maps)),
        (_without_common(images), maps),
        (_without_common(images), _without_common(maps)),
        (_without_folders(images), _without_folders(maps)),
    ):
        found = _by_key(left, right)
        if len(found.cases) > len(best.cases):
            best = found
        if 2 * len(best.cases) >= len(drawn):
            return best
    folders = _mask_folders(images, maps, base)
    found = _by_key(images, folders)
    if len(found.cases) > len(best.cases):
        return replace(found, kind=FOLDERS)
    return best


def _by_key(images: Mapping[Path, Key], drawn: Mapping[Path, Key]) -> Found:
    """Return what is left of images and annotations whose names are the same."""
    by_key: dict[Key, list[Path]] = {}
    for path, key in drawn.items():
        by_key.setdefault(key, []).append(path)
    twice = next((p for k, p in by_key.items() if len(p) > 1), None)
    parts: dict[Key, dict[str, list[Path]]] = {}
    alone = []
    for path, key in images.items():
        case, channel = _channel(key, by_key)
        if case is None:
            alone.append(path)
        else:
            parts.setdefault(case, {}).setdefault(channel, []).append(path)
    if twice is not None and any(k in parts and len(by_key[k]) > 1 for k in by_key):
        return Found(cases=())  # several annotations of one image
    channels = _common_channels(parts)
    ids = _ids(list(parts))
    cases = []
    for key, files in parts.items():
        annotation = by_key[key][0]
        chosen = [
            _one(files[name], annotation)[0] for name in channels if name in files
        ]
        if len(chosen) < len(channels):
            alone += [path for paths in files.values() for path in paths]
        else:
            cases.append(Case(id=ids[key], images=tuple(chosen), annotation=annotation))
    alone += [path for path, key in drawn.items() if key not in parts]
    return Found(
        cases=tuple(sorted(cases, key=lambda case: case.id)),
        channels=channels if len(channels) > 1 else (),
        alone=tuple(alone),
    )


def _channel(key: Key, known: Mapping[Key, object]) -> tuple[Key | None, str]:
    """Return the case that an image belongs to, and what its channel is called."""
    if key in known:
        return key, ""
    if not key:
        return None, ""
    *front, last = key
    if match := CHANNEL.fullmatch(last):
        case = (*front, match[1])
        if case in known:
            return case, match[2]
    for place in range(len(last) - 1, 0, -1):
        if last[place] in EDGES and (*front, last[:place]) in known:
            return (*front, last[:place]), last[place + 1 :]
    return (key[:-1], last) if key[:-1] in known else (None, "")


def _common_channels(parts: Mapping[Key, Mapping[str, object]]) -> tuple[str, ...]:
    """Return the channels that most cases have: an image, or several files."""
    counts: dict[str, int] = {}
    for files in parts.values():
        for name in files:
            counts[name] = counts.get(name, 0) + 1
    common = sorted(name for name, count in counts.items() if 2 * count > len(parts))
    # Beside an image that is called as its annotation, others are something else.
    return ("",) if "" in common else tuple(common)


def _ids(keys: Sequence[Key]) -> dict[Key, str]:
    """Return a name for each case: the last part, or as many as tell them apart."""
    for parts in range(1, max(map(len, keys), default=0) + 1):
        names = {key: "_".join(key[-parts:]) or "case" for key in keys}
        if len(set(names.values())) == len(keys):
            return names
    return {key: "_".join(key) or "case" for key in keys}


def _without_common(keys: Mapping[Path, Key]) -> dict[Path, Key]:
    """Return names without what all of them have at their end or their beginning."""
    lasts = [key[-1] for key in keys.values() if key]
    if len(lasts) < 2 or len(lasts) < len(keys):
        return dict(keys)
    end = next(iter(common_suffixes(lasts)), "")
    front = re.match(r"(.*[_\-. ])?", os.path.commonprefix(lasts))
    begin = front[0] if front and not end else ""
    cut = slice(len(begin), None)
    return {
        path: (*key[:-1], key[-1].removesuffix(end)[cut]) for path, key in keys.items()
    }


def _without_folders(keys: Mapping[Path, Key]) -> dict[Path, Key]:
    """Return names of files alone, if they are all different."""
    short = {path: key[-1:] for path, key in keys.items()}
    return short if len(set(short.values())) == len(short) else dict(keys)


def _mask_folders(
    images: Mapping[Path, Key], maps: Mapping[Path, Key], base: Path
) -> dict[Path, Key]:
    """Return folders that hold nothing but the masks of one image, with its key."""
    wanted = set(images.values())
    places: dict[Path, set[Key]] = {}
    for path, key in maps.items():
        places.setdefault(path.parent, set()).add(key[:-1])
    with_images = {path.parent for path in images}
    return {
        place: next(iter(keys))
        for place, keys in places.items()
        if len(keys) == 1 and keys <= wanted and place not in with_images
    }


def _refuse_files_of_classes(
    base: Path, shown: Sequence[Path], maps: Sequence[Path]
) -> None:
    """Raise if an image has several maps beside it: a class in each, it seems."""
    keys = {identity(path, base): path for path in shown}
    drawn: dict[Key, list[Path]] = {}
    for path in maps:
        key = identity(path, base)
        cases = [key[:-1]] + [
            (*key[:-1], key[-1][:place])
            for place, letter in enumerate(key[-1] if key else "")
            if letter in EDGES
        ]
        for case in cases:
            if case in keys:
                drawn.setdefault(case, []).append(path)
                break
    several = [paths for paths in drawn.values() if len(paths) > 1]
    if several:
        raise DatasetError(
            f"{several[0][0].parent} has several maps for one image: "
            f"{some_of([path.name for path in several[0]])}. Of classes, one map with "
            "a value for each is read; of objects, a folder with a mask for each that "
            "is called as its image, or one map of ids."
        )


def _grouped(
    cases: Sequence[Case], base: Path, shown: Sequence[Path]
) -> tuple[Case, ...]:
    """Say which cases lie in one folder beside others in other ones: of a patient."""
    outer = {case.id: identity(case.images[0], base)[:-1] for case in cases}
    groups = {key for key in outer.values() if key}
    if len(groups) < LEAST_GROUPS or len(groups) == len(cases) or () in outer.values():
        return tuple(cases)
    return tuple(replace(case, group="/".join(outer[case.id])) for case in cases)


def ending_of(paths: Sequence[Path]) -> str:
    """Return the commonest ending of files, as they spell it."""
    counts: dict[str, int] = {}
    for path in paths:
        ending = match_ending(path.name, known_endings()) or path.suffix
        spelled = path.name[len(path.name) - len(ending) :]
        counts[spelled] = counts.get(spelled, 0) + 1
    return max(counts, key=lambda name: (counts[name], name), default="")


def images_alone(found: Found) -> list[Path]:
    """Return images that nobody annotated."""
    return [p for p in found.alone if is_image(p) and stem_of(p.name)]
