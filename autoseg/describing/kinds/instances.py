"""Instances: names of their classes, and whether pieces of a mask are objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds import DESCRIBE_KINDS
from autoseg.describing.kinds.base import DescribeKind, Keys, Said, values_of
from autoseg.instancefiles.readers.base import content_of


@DESCRIBE_KINDS.register
class DescribeInstances(DescribeKind):
    """Objects that are told apart."""

    task = "instance"

    def of_files(self, files: Sequence[Path], said: Said) -> tuple[str, Keys] | None:
        classes: set[str] = set()
        for path in files:
            classes.update(str(name) for name in content_of(path).names if name)
        names = sorted(classes) or ["object"]
        return f"outlines in {files[0].name}", {"labels": _labels(said, *names)}

    def of_folders(self, said: Said) -> tuple[str, Keys] | None:
        return "a mask for each object", {"labels": _labels(said, "object")}

    def of_maps(
        self, maps: Sequence[Map], first: Path, void: int | None, said: Said
    ) -> Keys:
        keys: Keys = {"labels": _labels(said, "object")}
        if len(values_of(maps)) == 1 and any(one.pieces > 1 for one in maps):
            keys["components"] = True
        return keys


def _labels(said: Said, *names: str) -> dict[str, int]:
    found = said.labels or {name: number for number, name in enumerate(names, 1)}
    return {"background": 0, **found}
