"""What every kind of file of points must do."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Item, PointFile, read_points, write_points
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.testing._contract import Contract, require

RULES = Contract("point file")
GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.25), origin=(3.0, -4.0))
ITEM = Item(
    case="one",
    points=Points(
        ("tip", "root"),
        np.array([[4.125, 2.5], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
    ),
    geometry=GEOMETRY,
)
NAME = "contract"  # of the plug-in while it is tried
NONSENSE = (b"", b"\x00\xff\xfe", b"{", b"[]", b"nonsense\n")


def check_pointfile(kind: type[PointFile]) -> None:
    """Raise PluginError unless a class keeps the rules of a file of points.

    Parameters
    ----------
    kind : type
        The class.
    """
    RULES.check(kind.__name__, [(kind,)])


@RULES.add
def it_has_endings_in_lower_case(kind: type[PointFile]) -> None:
    """Each with its dot; what is written has one of them."""
    require(issubclass(kind, PointFile), "it is no subclass of PointFile")
    good = kind.endings and all(e[0] == "." and e == e.lower() for e in kind.endings)
    require(good, f"endings are {kind.endings}")
    require(kind.written_ending is None or kind.written_ending in kind.endings)


@RULES.add
def what_it_writes_it_reads_again(kind: type[PointFile]) -> None:
    """Places and status, if it writes."""
    if kind.written_ending is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"one{kind.written_ending}"
        with POINTFILES.holding(NAME, kind):
            write_points(path, [ITEM], kind=NAME)
            found = read_points(path, ["tip", "root"], lambda _: GEOMETRY, kind=NAME)
    require(list(found) == ["one"], f"cases are {list(found)}")
    np.testing.assert_allclose(found["one"].coordinates, ITEM.points.coordinates)
    require(found["one"].status.tolist() == [PRESENT, ABSENT], "the status")


@RULES.add
def what_it_cannot_read_is_an_error_with_the_file(kind: type[PointFile]) -> None:
    """Or holds no points."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"one{kind.endings[0]}"
        for content in NONSENSE:
            path.write_bytes(content)
            try:
                with POINTFILES.holding(NAME, kind):
                    found = read_points(path, ["tip"], lambda _: GEOMETRY, kind=NAME)
            except FormatError as error:
                require("one" in str(error), f"the message is {error}")
            else:
                require(not any(p.names for p in found.values()), f"of {content!r}")
