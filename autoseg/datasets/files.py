"""Which files of a data set folder make up which case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from autoseg.datasets.series.choice import (
    CHANNEL,
    SeriesChoice,
    bundles_in,
    choice_of,
)
from autoseg.datasets.series.choice import ENDING as SLICES
from autoseg.errors import DatasetError
from autoseg.formats.base import is_folder_image, known_endings, match_ending
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.place import may_be_read


def list_files(folder: Path) -> list[Path]:
    """Return the files in a folder, sorted, and images that are folders themselves.

    Hidden ones, and those of no folder at all, are none. A link to what is not there is
    one, so that whoever reads it says so.
    """
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.iterdir()
        if p.name[0] != "." and (p.is_file() or is_folder_image(p) or not p.exists())
    )


def commonest_ending(files: Sequence[Path], endings: Sequence[str]) -> str | None:
    """Return which of the endings most files have, as the files spell it, or None."""
    counts: Counter[str] = Counter()
    for path in files:
        ending = match_ending(path.name, endings)
        if ending:
            counts[path.name[-len(ending) :]] += 1
    return min(counts, key=lambda e: (-counts[e], e), default=None)


def stem_of(path: Path, endings: Sequence[str]) -> str | None:
    """Return a file's name without its ending, or None if it has none of these."""
    ending = match_ending(path.name, endings)
    return path.name[: -len(ending)] if ending else None


def find_cases(
    folder: Path,
    num_channels: int,
    ending: str | None = None,
    *,
    ids: Collection[str] = (),
    suffixed: bool = True,
    names: Sequence[str] = (),
    series: SeriesChoice | None = None,
) -> list[Case]:
    """Return the images in a folder as cases without annotation.

    ``CASE_0000.EXT``, ``CASE_0001.EXT``, ... are the channels of CASE; a single
    ``CASE.EXT`` or ``CASE_0000.EXT`` holds all of them. Where all files end in the name
    of a channel, such as ``CASE_T1.EXT``, these are the channels. A folder or zip of
    DICOM slices is an image, too.

    Parameters
    ----------
    folder : Path
        Where the images are.
    num_channels : int
        C. If some of a case's files are there, the missing ones are listed, too.
    ending : str, optional
        Only files with this ending; by default with any that a format knows.
    ids : collection of str
        Ids of annotations; they tell the case ``scan_0001`` from the channel 1 of scan.
    suffixed : bool
        False if no file name here ends in a channel number.
    names : sequence of str
        Names of the channels, where file names may end in them.
    series : SeriesChoice, optional
        Which series of a folder is meant; None: folders are no images.

    Returns
    -------
    list of Case
        Sorted by id.
    """
    endings = (ending,) if ending else known_endings()
    stems = {path: stem_of(path, endings) for path in list_files(folder)}
    files = {path: stem for path, stem in stems.items() if stem is not None}
    if series is not None:
        files |= bundles_in(folder) | _denied(folder, ids)
    if names and (named := cases_by_name(files, names, ids)):
        return named
    found: dict[str, dict[int, list[Path]]] = {}
    for path, stem in files.items():
        match = CHANNEL.fullmatch(stem) if suffixed else None
        if match and stem in ids and match[1] not in ids:
            match = None
        case_id, channel = (match[1], int(match[2])) if match else (stem, -1)
        found.setdefault(case_id, {}).setdefault(channel, []).append(path)
    cases = [
        Case(id=case_id, images=_complete(case_id, found[case_id], num_channels))
        for case_id in sorted(found)
    ]
    return cases if series is None else [series.of_case(case) for case in cases]


def images_alone(
    folder: Path, num_channels: int, ending: str | None, series: SeriesChoice | None
) -> list[Case]:
    """Return the cases of a folder, of whose annotations nothing is known.

    Where a case would have more files than there are channels, each file is one.

    Parameters
    ----------
    folder, num_channels, ending, series
        See `find_cases`.
    """
    channels = max(1, num_channels)
    cases = find_cases(folder, channels, ending, series=series)
    if all(len(case.images) <= channels for case in cases):
        return cases
    return find_cases(folder, channels, ending, suffixed=False, series=series)


def cases_like(folder: Path, dataset: Dataset) -> list[Case]:
    """Return the cases of a folder that has images as a data set's are.

    Parameters
    ----------
    folder : Path
        Of images without annotation.
    dataset : Dataset
        Says channels, ending and series.
    """
    channels = dataset.channel_names
    return find_cases(
        folder,
        len(channels),
        dataset.image_ending,
        names=channels,
        series=choice_of(dataset.raw, channels),
    )


def _denied(folder: Path, ids: Collection[str]) -> dict[Path, str]:
    """Return folders of annotated cases that may not be read: reading them says so."""
    inside = sorted(folder.iterdir()) if folder.is_dir() and ids else []
    found = [p for p in inside if p.is_dir() and not may_be_read(p)]
    return {p: p.name for p in found if {p.name, p.name[: -len("_0000")]} & {*ids}}


def cases_by_name(
    stems: Mapping[Path, str], names: Sequence[str], ids: Collection[str] = ()
) -> list[Case]:
    """Return cases whose files end in the names of channels.

    Parameters
    ----------
    stems : mapping of Path to str
        Image files with their names without ending.
    names : sequence of str
        Of the channels.
    ids : collection of str
        Ids that are known from annotations.

    Returns
    -------
    list of Case
        Sorted by id; none unless all files end so, and none of them is a case by
        itself. A channel whose file is not there is listed where it should be.
    """
    found: dict[str, dict[int, Path]] = {}
    for path, stem in stems.items():
        case_id, channel = split_name(stem, names)
        if channel is None or stem in ids or channel in found.get(case_id, {}):
            return []
        found.setdefault(case_id, {})[channel] = path
    cases = []
    for case_id in sorted(found):
        there = found[case_id]
        path = next(iter(there.values()))
        rest = path.name[len(case_id) :]
        old = stems[path][len(case_id) + 1 :]
        paths = [
            there.get(channel)
            or path.with_name(f"{case_id}{rest.replace(old, name, 1)}")
            for channel, name in enumerate(names)
        ]
        cases.append(Case(id=case_id, images=tuple(paths)))
    return cases


def split_name(stem: str, names: Sequence[str]) -> tuple[str, int | None]:
    """Return the case and the number of the channel whose name a file name ends in.

    Examples
    --------
    >>> split_name("p1_t2", ["T1", "T2"]), split_name("p1", ["T1", "T2"])
    (('p1', 1), ('p1', None))
    """
    folded = stem.casefold()
    for channel, name in sorted(enumerate(names), key=lambda e: -len(e[1])):
        for written in {name, *(name.replace(" ", by) for by in ("_", "-", ""))}:
            end = written.casefold()
            front = stem[: -len(end) - 1] if end and folded.endswith(end) else ""
            if front and stem[len(front)] in "_-. ":
                return front, channel
    return stem, None


def _complete(
    case_id: str, files: dict[int, list[Path]], num_channels: int
) -> tuple[Path, ...]:
    there = {channel: tuple(paths) for channel, paths in files.items()}
    if list(there) not in ([-1], [0]):
        one = there[max(there)][0]
        ending = one.name[len(case_id) + len("_0000") :]
        wanted = {
            channel: (one.with_name(f"{case_id}_{channel:04d}{ending}"),)
            for channel in range(num_channels)
        }
        there = {**wanted, **there}
    return tuple(path for channel in sorted(there) for path in there[channel])


def is_suffixed(cases: Sequence[Case]) -> bool:
    """Return whether any case's files end in a channel number."""
    return any(
        re.match(r"_\d{4}\.", path.name.removeprefix(case.id))
        for case in cases
        for path in case.images
    )


def names_in(cases: Sequence[Case], names: Sequence[str]) -> Sequence[str]:
    """Return the names of channels if the files of cases end in them, else none."""
    stems = {
        (case.id, stem_of(path, known_endings()) or path.stem)
        for case in cases
        for path in case.images
    }
    ends = all(
        stem != case_id and split_name(stem, names)[0] == case_id
        for case_id, stem in stems
    )
    return names if stems and ends else ()


def image_ending(folder: Path, wanted: str | None) -> str:
    """Return the ending of the images in a folder.

    Parameters
    ----------
    folder : Path
        Such as imagesTr.
    wanted : str or None
        ``file_ending`` of dataset.json.

    Returns
    -------
    str
        ``wanted`` if any file has it or no other image is there, else the commonest.

    Raises
    ------
    DatasetError
        If no file in the folder has an ending that a format knows.
    """
    files = list_files(folder)
    if wanted and any(match_ending(path.name, (wanted,)) for path in files):
        return wanted
    ending = commonest_ending(files, known_endings()) or wanted
    if ending is None and bundles_in(folder):
        return SLICES
    if ending is None:
        raise DatasetError(
            f"{folder} holds no image of a known format; there are "
            f"{' '.join(known_endings())}"
        )
    return ending
