"""Which file of labelsTr annotates which image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoseg.datasets.files import commonest_ending, list_files
from autoseg.formats.base import known_endings, match_ending
from autoseg.spec.foreign.letters import in_form_of

SUFFIXES = (
    "_seg",
    "_segmentation",
    "_mask",
    "_masks",
    "_label",
    "_labels",
    "_gt",
    "_annotation",
    "_annotations",
    "_cp_masks",
    "_rois",
    "_instances",
)
"""What tools write behind the name of an image to name its annotation."""

CLASS_LISTS = ("classes.txt", "obj.names")
"""Files beside annotations that name classes, and annotate nothing."""

CELLPOSE = "_cp_masks"
BESIDE_MASKS = ("_seg.npy", "_cp_outlines.txt", "_cp_outlines.png", "_cp_output.png")
"""What Cellpose writes beside its masks of an image, and says nothing else."""

SEPARATORS = "_-. "


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """The annotations in a folder, by what their names say.

    Parameters
    ----------
    ending : str
        The ending that is looked for first, and that predictions get.
    by_stem : mapping of str to Path
        By file name without ending.
    suffix : str
        What all names have behind the case's id.
    """

    ending: str
    by_stem: Mapping[str, Path] = field(default_factory=dict)
    suffix: str = ""

    def without(self, suffix: str) -> Annotations:
        """Return the same without a suffix that all names have."""
        by_stem = {s[: -len(suffix)]: path for s, path in self.by_stem.items()}
        return Annotations(ending=self.ending, by_stem=by_stem, suffix=suffix)


def find_annotations(
    folder: Path,
    others: Sequence[str] = (),
    *,
    given: str = "",
    images: str = "",
    maps_first: bool = True,
) -> Annotations:
    """Return the annotations in a folder.

    A file's ending is the longest that is known, so ``c0.seg.nrrd`` is of ``c0``. Most
    have one ending; a file with another is taken for an image that has none with it.

    Parameters
    ----------
    folder : Path
        Such as labelsTr.
    others : sequence of str
        Endings of annotations that are no maps.
    given : str
        ``label_ending`` of dataset.json: no other is looked at.
    images : str
        Ending of the images, which is preferred.
    maps_first : bool
        Whether maps are preferred to what has another ending.

    Returns
    -------
    Annotations
        Those of all images, and of none.
    """
    files = without_copies(list_files(folder))
    if given:
        own = {
            p.name[: -len(given)]: p for p in files if match_ending(p.name, (given,))
        }
        return Annotations(ending=given, by_stem=own)
    endings = {*known_endings(), *others} | ({images} if images else set())
    of = {path: match_ending(path.name, tuple(endings)) for path in files}
    chosen = images
    if not any(_same(ending, images) for ending in of.values()):
        maps = commonest_ending(files, known_endings()) if maps_first else None
        chosen = maps or commonest_ending(files, tuple(endings)) or images
    by_stem: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: _rank(of[path], chosen)):
        ending = of[path]
        if ending:
            by_stem.setdefault(path.name[: -len(ending)], path)
    return Annotations(ending=chosen, by_stem=by_stem)


def in_letters_of(by_stem: Mapping[str, Path], images: Path) -> dict[str, Path]:
    """Return annotations by names in the codes that names of images have."""
    names = [path.name for path in list_files(images)]
    return dict(zip(in_form_of(by_stem, names), by_stem.values(), strict=True))


def without_copies(files: Sequence[Path]) -> list[Path]:
    """Return files without what Cellpose has written beside masks of the same image."""
    masks = {p.name[: p.name.rindex(CELLPOSE)] for p in files if CELLPOSE in p.name}
    beside = {f"{image}{end}" for image in masks for end in BESIDE_MASKS}
    return [path for path in files if path.name not in beside]


def _same(ending: str | None, other: str) -> bool:
    return ending is not None and ending.lower() == other.lower()


def _rank(ending: str | None, chosen: str) -> int:
    """Return how soon a file with an ending is taken for an image."""
    if _same(ending, chosen):
        return 0
    if ending in known_endings():
        return 1
    return 3 if ending == ".json" else 2  # JSON often is a side-car


def common_suffixes(stems: Iterable[str]) -> list[str]:
    """Return what all annotations may have behind the ids of images.

    Parameters
    ----------
    stems : iterable of str
        Names of annotations without ending.

    Returns
    -------
    list of str
        What all names have in common at their end, from an underscore, a hyphen, a dot
        or a blank on, longest first; of one name alone, those of `SUFFIXES`.

    Examples
    --------
    >>> common_suffixes(["a_cp_masks", "b_cp_masks"]), common_suffixes(["a_seg"])
    (['_cp_masks', '_masks'], ['_seg'])
    """
    names = list(stems)
    turned = os.path.commonprefix([name[::-1] for name in names])[::-1]
    found = [
        turned[place:]
        for place, letter in enumerate(turned)
        if letter in SEPARATORS and any(c.isalpha() for c in turned[place:])
    ]
    if len(names) < 2:
        found = [suffix for suffix in found if suffix.lower() in SUFFIXES]
    return [suffix for suffix in found if all(len(n) > len(suffix) for n in names)]


def annotating(
    files: Mapping[str, Path], folders: Mapping[str, Path]
) -> dict[str, Path]:
    """Return the files that annotate; JSON beside a folder says what lies in that."""
    return {
        stem: path
        for stem, path in files.items()
        if stem not in folders or path.suffix.lower() != ".json"
    }
