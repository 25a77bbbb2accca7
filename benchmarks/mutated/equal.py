"""Whether two files hold the same, but for what says when or how long."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Keys of JSON that say when, how long, or on which version of a file.
TIMES = {"seconds", "prepared", "reserved", "stamp", "spent", "quick", "time", "began"}
TIMES |= {"ended", "duration", "when", "stages", "costs", "seconds_per_iteration"}
TIMES |= {"waiting_for_loader", "loader_reading", "loader_augmenting", "memory_bytes"}
PICTURES = ("progress.png", "report.html", "report.json", "stages.jsonl")  # of times


def files_in(folder: Path) -> dict[str, Path]:
    """Return all files under a folder by their relative names, hidden ones too."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def plain(value: Any) -> Any:
    """Return a JSON value without what says when or how long."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in TIMES}
    return [plain(v) for v in value] if isinstance(value, list) else value


def tensors(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield all leaves of a checkpoint, with how they are reached."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        yield "", value
    for key, inner in items:
        if key not in TIMES:
            yield from ((f"{key}.{more}", leaf) for more, leaf in tensors(inner))


def same(first: Path, second: Path) -> bool:
    """Return whether two files hold the same, but for times."""
    if first.read_bytes() == second.read_bytes() or first.name in PICTURES:
        return True
    if first.name == "autoseg_files.jsonl":  # names alone: the rest is time and hash
        names = [
            set(re.findall(r'"file": "(.*?)"', p.read_text("utf-8")))
            for p in (first, second)
        ]
        return names[0] == names[1]
    if first.suffix == ".json":
        return bool(
            plain(json.loads(first.read_text("utf-8")))
            == plain(json.loads(second.read_text("utf-8")))
        )
    if first.suffix == ".jsonl":
        lines = [
            [plain(json.loads(line)) for line in p.read_text("utf-8").splitlines()]
            for p in (first, second)
        ]
        return lines[0] == lines[1]
    if first.suffix == ".pt":
        import torch

        loaded = [
            dict(tensors(torch.load(p, weights_only=True))) for p in (first, second)
        ]
        if loaded[0].keys() != loaded[1].keys():
            return False
        return all(_equal(value, loaded[1][key]) for key, value in loaded[0].items())
    return False


def _equal(first: Any, second: Any) -> bool:
    import torch

    if isinstance(first, torch.Tensor):
        return bool(torch.equal(first, second))
    return bool(first == second)
