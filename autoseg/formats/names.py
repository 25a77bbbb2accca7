"""Names: of cases in the names of files, and of segments in NRRD files.

Segments have names as 3D Slicer writes and reads them (slicer.readthedocs.io,
"Segmentations", file format of ``.seg.nrrd``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats._nrrd import ENDINGS, channel_axis, read_nrrd_header
from autoseg.formats.base import known_endings, match_ending
from autoseg.spec.foreign.behind import voxels_behind
from autoseg.spec.foreign.looks import ANATOMY, Code, Look, looks_of, usual_color

Array = NDArray[Any]

ENDING, NRRD = ".seg.nrrd", ENDINGS
KEY = re.compile(r"Segment(\d+)_(\w+)")
LONGEST_HEADER = 1 << 20  # bytes
ESCAPES = {"\\n": "\n", "\\\\": "\\"}  # of NRRD's values
WHOLE = re.compile(r"-?\d+")
TERMS = "TerminologyEntry:"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A segment of a NRRD file.

    Parameters
    ----------
    name : str
        What it is called.
    value : int
        Of its voxels where all layers are one map: as in its layer, or, where two
        segments have the same there, its number, counted from 1.
    layer, stored : int
        Where its voxels are, and their value there.
    look : Look
        Color and codes.
    """

    name: str
    value: int
    layer: int
    stored: int
    look: Look

    @property
    def also(self) -> tuple[str, ...]:
        """Other names: meanings and values of its codes."""
        codes = (self.look.kind, self.look.region)
        return tuple(word for code in codes if code for word in (code[2], code[1]))


def image_case(name: str) -> str:
    """Return the case of an image's file name, as tables and lists give it.

    Examples
    --------
    >>> image_case("images/scan_1_0000.nii.gz"), image_case("scan_1")
    ('scan_1', 'scan_1')
    """
    file = name.strip().replace("\\", "/").rpartition("/")[2]
    ending = match_ending(file.lower(), known_endings())
    if not ending:
        return file
    stem = file[: -len(ending)]
    return stem[:-5] if stem.endswith("_0000") else stem


def segments_of(path: Path) -> dict[str, int]:
    """Return which value each named segment of a NRRD file has; see `read_segments`."""
    return {segment.name: segment.value for segment in read_segments(path)}


def read_segments(path: Path) -> tuple[Segment, ...]:
    """Return the named segments of a NRRD file, from its header.

    Parameters
    ----------
    path : Path
        A NRRD file. Segments that overlap are in several layers, which are channels;
        in files of before 2020 each segment has a layer of its own.

    Returns
    -------
    tuple of Segment
        In the order of the file; empty if it names none.
    """
    found: dict[int, dict[str, str]] = {}
    for line in _header(path).splitlines():
        key, sign, value = line.partition(":=")
        match = KEY.fullmatch(key.strip())
        if sign and match:
            found.setdefault(int(match[1]), {})[match[2]] = value.strip()
    several = _layers(path) > 1
    placed = []
    for place, (_, of) in enumerate(sorted(found.items())):
        layer = of.get("Layer", str(place if several else 0))
        stored = of.get("LabelValue", "1" if several else "")
        if of.get("Name") and WHOLE.fullmatch(layer) and WHOLE.fullmatch(stored):
            placed.append((of, int(layer), int(stored)))
    distinct = len({stored for _, _, stored in placed}) == len(placed)
    return tuple(
        Segment(
            name=_plain(of["Name"]),
            value=stored if distinct else number,
            layer=layer,
            stored=stored,
            look=_look(of, number - 1),
        )
        for number, (of, layer, stored) in enumerate(placed, 1)
    )


def in_one_map(
    layers: Array, segments: Sequence[Segment], path: Path
) -> tuple[NDArray[np.int32], list[str]]:
    """Return segments in several layers as one map, larger values over smaller ones.

    Parameters
    ----------
    layers : ndarray of int, shape (L, *S)
        As in the file.
    segments : sequence of Segment
        As `read_segments` gives them.
    path : Path
        For messages.

    Returns
    -------
    labels : ndarray of int32, shape S
        With the values of the segments.
    notes : list of str
        How many voxels several segments share, if any do.

    Raises
    ------
    FormatError
        If there are not so many layers.
    """
    labels = np.zeros(layers.shape[1:], np.int32)
    shared = np.zeros(layers.shape[1:], bool)
    for segment in sorted(segments, key=lambda one: one.value):
        mask = mask_of(segment, layers, path)
        shared |= mask & (labels != 0)
        labels[mask] = segment.value
    count = int(shared.sum())
    said = f"{count} voxels are in several of its segments; the larger value counts"
    return labels, [said] if count else []


def mask_of(segment: Segment, layers: Array, path: Path) -> NDArray[np.bool_]:
    """Return the voxels of a segment, shape S, of layers (L, *S).

    Raises
    ------
    FormatError
        If there is no such layer.
    """
    if not 0 <= segment.layer < len(layers):
        raise FormatError(
            f"{path}: its header puts the segment {segment.name!r} into layer "
            f"{segment.layer}, and there are {len(layers)}. Get or write it again."
        )
    return np.asarray(layers[segment.layer] == segment.stored)


def _layers(path: Path) -> int:
    """Return how many layers a file has, by its header."""
    header = read_nrrd_header(path)
    sizes = header.get("sizes", "").split()
    axis = channel_axis(header, len(sizes) - 1)
    return 1 if axis is None else int(sizes[axis])


def _look(of: Mapping[str, str], number: int) -> Look:
    """Return color and codes of a segment, from its keys."""
    try:
        parts = [float(part) for part in of.get("Color", "").split()]
    except ValueError:
        parts = []
    color = usual_color(number)
    if len(parts) == 3 and all(0 <= part <= 1 for part in parts):
        color = (round(255 * parts[0]), round(255 * parts[1]), round(255 * parts[2]))
    entries = of.get("Tags", "").split("|")
    said = next((tag[len(TERMS) :] for tag in entries if tag.startswith(TERMS)), "")
    terms = [_code(term) for term in [*said.split("~"), *[""] * 6]]
    return Look(
        color=color, kind=terms[2], category=terms[1] or ANATOMY, region=terms[5]
    )


def _code(term: str) -> Code | None:
    words = term.split("^")
    if len(words) == 3 and all(words):
        return words[0], words[1], words[2]
    return None


def name_segments(
    path: Path, names: Mapping[int, str], looks: Mapping[str, Look] | None = None
) -> None:
    """Write names, colors and codes of segments into the header of a NRRD file.

    Parameters
    ----------
    path : Path
        A NRRD file with its data inside, written anew atomically.
    names : mapping of int to str
        Names by value, background left out.
    looks : mapping of str to Look, optional
        By name; by default of usual colors, and without codes.
    """
    looks = looks or looks_of((name for _, name in sorted(names.items())), {})
    text = _header(path)
    _, data = _parted(path.read_bytes())
    sizes = re.search(r"^sizes:\s*([\d ]+)", text, re.MULTILINE)
    extent = " ".join(f"0 {int(n) - 1}" for n in (sizes[1] if sizes else "").split())
    lines = [line for line in text.splitlines() if not line.startswith("Segment")]
    for number, (value, name) in enumerate(sorted(names.items())):
        look = looks[name]
        color = [part / 255 for part in look.color]
        lines += [
            f"Segment{number}_{key}:={what}"
            for key, what in {
                "Color": " ".join(f"{part:.4f}" for part in color),
                "Extent": extent,
                "ID": f"Segment_{value}",
                "LabelValue": value,
                "Layer": 0,
                "Name": _escaped(name),
                "NameAutoGenerated": 0,
                **({"Tags": _tags(look)} if look.kind else {}),
            }.items()
        ]
    lines += [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
    ]
    with atomically(path) as temporary:
        temporary.write_bytes("\n".join(lines).encode() + b"\n\n" + data)


def _tags(look: Look) -> str:
    """Return the codes of a segment as 3D Slicer writes them (TerminologyEntry)."""
    none = "^^"
    parts = [
        "Segmentation category and type - DICOM master list",
        "^".join(look.category),
        "^".join(look.kind or ()) or none,
        none,
        "Anatomic codes - DICOM master list",
        "^".join(look.region or ()) or none,
        none,
    ]
    return f"TerminologyEntry:{'~'.join(parts)}|"


def _header(path: Path) -> str:
    """Return the lines of a header, without reading what comes behind it."""
    text = b""
    with path.open("rb") as file:
        while (more := file.read(4096)) and len(text) < LONGEST_HEADER:
            text += more
            head, _ = _parted(text)
            if head is not None:
                return head.decode("utf-8", errors="replace")
    if text.startswith(b"NRRD") and voxels_behind(path):  # nothing comes behind it
        return text.decode("utf-8", errors="replace").replace("\r\n", "\n")
    raise FormatError(f"{path} has no header of NRRD. Get or write it again.")


def _parted(content: bytes) -> tuple[bytes | None, bytes]:
    """Return header and data; None where there is no whole header."""
    for end in (b"\n\n", b"\r\n\r\n"):
        head, mark, data = content.partition(end)
        if mark and head.startswith(b"NRRD"):
            return head, data
    return None, b""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _plain(text: str) -> str:
    return re.sub(r"\\[n\\]", lambda match: ESCAPES[match[0]], text)
