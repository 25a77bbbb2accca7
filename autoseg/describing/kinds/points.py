"""Points: their names, or those of numbers in a map of spots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds import DESCRIBE_KINDS
from autoseg.describing.kinds.base import DescribeKind, Keys, Said, values_of
from autoseg.errors import amount
from autoseg.pointfiles.base import names_in


@DESCRIBE_KINDS.register
class DescribePoints(DescribeKind):
    """Named points."""

    task = "landmark"

    def of_files(self, files: Sequence[Path], said: Said) -> tuple[str, Keys] | None:
        names: dict[str, None] = {}
        for path in files:
            names.update(dict.fromkeys(names_in(path)))
        if not names:
            return None
        where = files[0].name if len(files) == 1 else f"{files[0].name} and others"
        return f"{amount(len(names), 'point')} in {where}", {"landmarks": list(names)}

    def of_maps(
        self, maps: Sequence[Map], first: Path, void: int | None, said: Said
    ) -> Keys:
        last = max(values_of(maps), default=1)
        return {"landmarks": [str(number) for number in range(1, last + 1)]}
