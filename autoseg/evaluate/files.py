"""Which prediction belongs to which annotation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoseg.datasets.pairing import common_suffixes
from autoseg.errors import UsageError
from autoseg.formats.base import is_folder_image, known_endings, match_ending
from autoseg.workspace import PREVIEW, SUMMARY


def files_by_case(
    folder: Path, endings: Sequence[str] | None = None
) -> dict[str, Path]:
    """Return the annotation files in a folder by case id, whatever their endings.

    A case id is a file's name without the ending that a format knows. Files that no
    format knows, such as ``summary.json``, are passed over, and so is the preview that
    `predict` draws of a case that is there.

    Parameters
    ----------
    folder : Path
        Where to look; not in folders inside it.
    endings : sequence of str, optional
        Of annotation files; by default all that formats know.

    Returns
    -------
    dict of str to Path
        Sorted by case id.

    Raises
    ------
    UsageError
        If the folder does not exist, or a case has two files in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give the one with the label maps.")
    endings = known_endings() if endings is None else endings
    found: dict[str, Path] = {}
    drawn: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        case = case_of(path.name, endings)
        other = path.name.startswith(".") or path.name == SUMMARY
        if case is None or other or not (path.is_file() or is_folder_image(path)):
            continue
        if path.name.endswith(DRAWN):
            drawn[case.rpartition("_")[0]] = path
            continue
        if case in found:
            raise UsageError(
                f"{folder} has two files of case {case!r}: {found[case].name} and "
                f"{path.name}. Take away the one that does not count."
            )
        found[case] = path
    found = drawn | found  # a label map beside them is the same prediction
    return {
        c: path for c, path in sorted(found.items()) if not _is_preview(path, found)
    }


DRAWN = ("_rtstruct.dcm", "_seg.dcm")  # predictions as DICOM; the later one counts


def _is_preview(path: Path, found: Mapping[str, Path]) -> bool:
    """Return whether a file is the picture of another prediction."""
    return path.name.endswith(PREVIEW) and path.name[: -len(PREVIEW)] in found


def case_of(name: str, endings: Sequence[str]) -> str | None:
    """Return a file's name without its ending; None if the ending is not known.

    Examples
    --------
    >>> case_of("liver_001.nii.gz", (".nii.gz", ".gz"))
    'liver_001'
    """
    ending = match_ending(name, endings)
    return name[: -len(ending)] or None if ending else None


def without_suffix(
    files: Mapping[str, Path], others: Mapping[str, Path]
) -> dict[str, Path]:
    """Return files by the ids of others, if all their names have something behind them.

    Parameters
    ----------
    files, others : mapping of str to Path
        By name without ending. Where some names are the same, nothing is changed.

    Examples
    --------
    >>> found = without_suffix({"a_seg": Path("a_seg.png")}, {"a": Path("a.png")})
    >>> list(found)
    ['a']
    """
    for suffix in () if files.keys() & others.keys() else common_suffixes(files):
        cut = {name.removesuffix(suffix): path for name, path in files.items()}
        if cut.keys() & others.keys():
            return cut
    return dict(files)


def match(
    predictions: Mapping[str, Path], annotations: Mapping[str, Path]
) -> tuple[list[str], list[str], list[str]]:
    """Return ids of cases with both files, without prediction, without annotation."""
    both = [case for case in annotations if case in predictions]
    missing = [case for case in annotations if case not in predictions]
    extra = [case for case in predictions if case not in annotations]
    return both, missing, extra


def is_in_dataset(folder: Path) -> bool:
    """Return whether a folder is that of a data set, of its images or annotations."""
    inner = folder.resolve().name in ("imagesTr", "imagesTs", "labelsTr", "labelsTs")
    place = folder.resolve().parent if inner else folder
    return (place / "dataset.json").is_file()


def output_file(
    predictions: str | os.PathLike[str], output: str | os.PathLike[str] | None
) -> Path:
    """Return the file of a summary; by default beside the predictions."""
    if output is None:
        path = Path(predictions)
        return (path.parent if path.is_file() else path) / SUMMARY
    path = Path(output)
    return path if path.suffix == ".json" else path / SUMMARY
