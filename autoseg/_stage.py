"""Make a stage's package callable, so that ``autoseg.train(...)`` trains.

A stage has one verb for its command, its folder and its function. Python gives the name
``autoseg.train`` to the folder, so the folder's module answers calls with the function
of the same name in its ``stage.py``. See docs/why/0001-callable-stages.md.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Stage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        verb = self.__name__.rpartition(".")[2]
        function = getattr(importlib.import_module(f"{self.__name__}.stage"), verb)
        return function(*args, **kwargs)


def make_callable(package: str) -> None:
    """Let the package of this name be called like the function in its ``stage.py``."""
    sys.modules[package].__class__ = _Stage
