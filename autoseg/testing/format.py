"""What every format of images must do."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats.base import Format
from autoseg.spec.image import Geometry
from autoseg.testing._contract import Contract, require

RULES = Contract("format")
GRIDS = (
    Geometry(shape=(5, 6), spacing=(0.5, 0.25)),
    Geometry(shape=(3, 5, 6), spacing=(2.0, 0.5, 0.25)),
)


def check_format(kind: type[Format]) -> None:
    """Raise PluginError unless a class keeps the rules of a format.

    Parameters
    ----------
    kind : type
        The class.
    """
    RULES.check(kind.__name__, [(kind,)])


def _labels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, shape).astype(np.uint8)


@RULES.add
def it_has_endings_in_lower_case(kind: type[Format]) -> None:
    """Each with its dot."""
    require(issubclass(kind, Format), "it is no subclass of Format")
    good = kind.endings and all(e[0] == "." and e == e.lower() for e in kind.endings)
    require(good, f"endings are {kind.endings}")


@RULES.add
def what_it_writes_it_reads_again(kind: type[Format]) -> None:
    """All values; on a grid that it has read itself, labels and geometry to the bit.

    A file may hold other axes than were given: a slice more, or another orientation.
    What cannot be written is a FormatError; one ending must be written at least, unless
    the format says that it only reads.
    """
    written = 0
    for geometry in GRIDS:
        labels = _labels(geometry.shape)
        for ending in kind.endings:
            with tempfile.TemporaryDirectory() as folder:
                first, second = (Path(folder) / f"{n}{ending}" for n in "ab")
                try:
                    kind().write_labels(first, labels, geometry)
                except FormatError:
                    continue
                once, read = kind().read_labels(first)
                kind().write_labels(second, once, read)
                twice, again = kind().read_labels(second)
            written += 1
            same = np.array_equal(np.sort(once, axis=None), np.sort(labels, axis=None))
            require(same, f"{ending}, {geometry.dim}-D: the values are others")
            require(np.array_equal(twice, once), f"{ending}: labels moved")
            for name in ("shape", "spacing", "origin", "direction"):
                was, became = getattr(read, name), getattr(again, name)
                require(np.array_equal(was, became), f"{name} was {was}, is {became}")
    require(written > 0 or not kind.writes, f"it writes none of {kind.endings}")


@RULES.add
def what_it_cannot_read_is_an_error_with_the_file(kind: type[Format]) -> None:
    """Nonsense, or nothing at all."""
    for content in (b"", b"nonsense\n" * 40):
        for ending in kind.endings:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"case{ending}"
                path.write_bytes(content)
                try:
                    kind().read_labels(path)
                except FormatError as error:
                    require("case" in str(error), f"the message is {error}")
                else:
                    require(False, f"{ending} of {len(content)} bytes was read")
