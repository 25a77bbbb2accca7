"""What the names of files and folders say: image or annotation, and of which case."""

from __future__ import annotations

import re
from pathlib import Path

from autoseg.formats.base import known_endings, match_ending
from autoseg.instancefiles.readers.base import instance_endings
from autoseg.pointfiles.base import point_endings
from autoseg.spec.foreign.letters import composed

DRAWN = frozenset(
    "annotation annotations annot annots gt groundtruth label labels mask masks seg "
    "segs segmentation segmentations segmented".split()
)
"""Words of annotations, wherever they stand."""

DRAWN_AT_END = frozenset(
    "cp contour contours instance instances keypoint keypoints landmark landmarks "
    "manual outline outlines point points roi rois target targets truth".split()
)
"""Words that mean annotations at the beginning or the end of a name only."""

SHOWN = frozenset(
    "data im image images img imgs input inputs orig original originals photo photos "
    "picture pictures raw scan scans slide slides vol volume volumes".split()
)
"""Words of images."""

TEST = frozenset("holdout test testing ts unlabeled unlabelled".split())
"""Words of what is not to be trained on."""

PARTS = frozenset("tr train training val valid validation".split())

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
EDGES = "_-. "


def words_of(name: str) -> list[str]:
    """Return the words in a name, in lower case, without numbers.

    Examples
    --------
    >>> words_of("SegmentationClass"), words_of("img_001-cp_masks")
    (['segmentation', 'class'], ['img', 'cp', 'masks'])
    """
    return [word.lower() for word in WORD.findall(name) if not word.isdigit()]


def is_drawn(name: str) -> bool:
    """Return whether a name is one of an annotation.

    Examples
    --------
    >>> is_drawn("labelsTr"), is_drawn("p1_seg"), is_drawn("target_study_3_t1")
    (True, True, True)
    """
    words = words_of(name)
    return bool(DRAWN.intersection(words) or DRAWN_AT_END.intersection(_ends(words)))


def is_shown(name: str) -> bool:
    """Return whether a name is one of images."""
    return bool(SHOWN.intersection(words_of(name)))


def is_test(name: str) -> bool:
    """Return whether a folder holds what is not to be trained on."""
    return bool(TEST.intersection(words_of(name)))


def _ends(words: list[str]) -> list[str]:
    return [*words[:1], *words[-1:]]


def stem_of(name: str) -> str:
    """Return a file's name without its ending, the longest that anything reads."""
    ending = match_ending(name, all_endings())
    return name[: -len(ending)] if ending else name


def all_endings() -> tuple[str, ...]:
    """Return the endings of images and of all files of annotations."""
    return (*known_endings(), *point_endings(), *instance_endings())


def is_image(path: Path) -> bool:
    """Return whether a file's ending is an image's, and of no other annotation."""
    ending = match_ending(path.name, all_endings())
    return ending in known_endings()


def identity(path: Path, base: Path) -> tuple[str, ...]:
    """Return what is left of a path without the words for roles: the case's name.

    Parameters
    ----------
    path : Path
        A file, or a folder of masks.
    base : Path
        What all paths have in common.

    Returns
    -------
    tuple of str
        From the outermost folder to the name, without what repeats the part before;
        equal for an image and its annotation, or longer for one of several files.

    Examples
    --------
    >>> base = Path("d")
    >>> identity(base / "images" / "img_07.png", base)
    ('07',)
    >>> identity(base / "masks" / "07_mask.png", base)
    ('07',)
    >>> [identity(base / "p1" / n, base) for n in ("p1_t1.nii.gz", "seg.nii.gz")]
    [('p1', 't1'), ('p1',)]
    """
    inside = path.relative_to(base)
    parts: list[str] = []
    for folder in inside.parts[:-1]:
        rest = _without_roles(
            composed(folder), DRAWN | DRAWN_AT_END | SHOWN | PARTS | TEST
        )
        if rest:
            parts.append(rest)
    name = _without_roles(composed(stem_of(inside.name)), DRAWN | DRAWN_AT_END | SHOWN)
    if parts and name.startswith(parts[-1]):
        rest = name[len(parts[-1]) :]
        name = rest.lstrip(EDGES) if not rest or rest[0] in EDGES else name
    if name:
        parts.append(name)
    return tuple(parts)


def _without_roles(name: str, words: frozenset[str]) -> str:
    """Return a name without words for roles at its beginning and its end."""
    while True:
        found = WORD.findall(name)
        if found and found[-1].lower() in words and name.endswith(found[-1]):
            name = name[: -len(found[-1])].rstrip(EDGES)
        elif found and found[0].lower() in words and name.startswith(found[0]):
            name = name[len(found[0]) :].lstrip(EDGES)
        else:
            return name
