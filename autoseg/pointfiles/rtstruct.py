"""Points of a DICOM structure set (RTSTRUCT): regions that are one point each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from autoseg.dicom.headers import is_structure_set
from autoseg.errors import FormatError, some_of
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile
from autoseg.pointfiles.convention import Convention

PATIENT = Convention(space="physical", frame="LPS")  # as DICOM has it


@POINTFILES.register
class RtStruct(PointFile):
    """Regions with a contour of the type POINT; the region's name is the landmark's.

    A region without any contour was not drawn, and is left out. Other contours are
    structures and no landmarks. Read only; needs the extra ``dicom``.
    """

    endings: ClassVar[tuple[str, ...]] = (".dcm",)
    convention = PATIENT

    def claims(self, path: Path) -> bool:
        return is_structure_set(path)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        from autoseg.dicom.annotation import open_drawings
        from autoseg.dicom.contours import Contours

        points: dict[str, Any] = {}
        others = []
        for drawing in open_drawings(path):
            if not isinstance(drawing, Contours):
                raise FormatError("it is a segmentation, which has no points.")
            for region in drawing.structures:
                found = [
                    place for one in drawing.points(region.number) for place in one
                ]
                if not found:
                    others.append(region.name)
                    continue
                if len(found) > 1 or region.name in points:
                    raise FormatError(
                        f"the region {region.name!r} has several points; a landmark is "
                        "one. Give each a region of its own."
                    )
                points[region.name] = [float(n) for n in found[0]], None
        if not points:
            raise FormatError(
                "no region is a point (a contour of the type POINT); there are "
                f"{some_of(others) or 'none'}."
            )
        return [Entry(case=None, points=points, stated=PATIENT)]
