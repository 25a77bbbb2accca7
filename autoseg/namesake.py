"""Other packages with one of our names, which Python finds instead of us.

PyPI has packages called ``planners`` (0.13.4) and ``autoseg`` (1.1.1) of other people:
https://pypi.org/project/planners, https://pypi.org/project/autoseg.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

# What each of our packages has at its top, and no namesake.
OURS = {"autoseg": "_STAGES", "planners": "PLANNERS"}


def namesake(error: ImportError) -> str | None:
    """Say whose package hides one of ours, where that is why an import failed.

    Parameters
    ----------
    error : ImportError
        What the import raised.

    Returns
    -------
    str or None
        One sentence; None if the import failed for another reason.
    """
    name = (error.name or "").partition(".")[0]
    module = sys.modules.get(name)
    if name not in OURS or module is None or hasattr(module, OURS[name]):
        return None
    return (
        f"Python finds another package called {name!r}{_whose(name)} at "
        f"{_place(module)}, which hides autoseg's own. Install autoseg into an "
        "environment of its own (python3 -m venv), or remove the other one and "
        "install autoseg again."
    )


def _whose(name: str) -> str:
    """Return the distribution that installed a package, in brackets, if one says so."""
    owners = {
        f"{d.metadata['Name']} {d.version}"
        for d in metadata.distributions()
        if name in (d.read_text("top_level.txt") or "").split()
        or d.metadata["Name"] == name
    }
    others = sorted(o for o in owners if o.partition(" ")[0] != "autoseg")
    return f" (of {', '.join(others)})" if others else ""


def _place(module: object) -> Path:
    file = getattr(module, "__file__", None)
    if file:
        return Path(file).parent
    return Path(next(iter(getattr(module, "__path__", ["?"]))))
