"""Make a stage's package callable, so that ``autoseg.train(...)`` trains.

A stage has one verb for its command, its folder and its function. Python gives the name
``autoseg.train`` to the folder, so the folder's module answers calls with the function
of the same name in its ``stage.py``, and shows that function's signature and help. See
docs/why/0001-callable-stages.md.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from autoseg.errors import AutosegError, for_python


class _Stage(ModuleType):
    """A package that is called, shown and completed as its stage's function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        verb = self.__name__.rpartition(".")[2]
        wanted = sys.modules["autoseg"].beside(verb)
        if wanted is None:
            return in_python(self.__wrapped__)(*args, **kwargs)
        given = self.__signature__.bind(*args, **kwargs)
        with wanted(**given.arguments):
            return in_python(self.__wrapped__)(*args, **kwargs)

    @property
    def __wrapped__(self) -> Any:
        """The stage's function; tools that look for a signature find it here."""
        verb = self.__name__.rpartition(".")[2]
        return getattr(importlib.import_module(f"{self.__name__}.stage"), verb)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__wrapped__)

    @property
    def __all__(self) -> list[str]:
        return [self.__name__.rpartition(".")[2]]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__all__})

    def __getattr__(self, name: str) -> Any:
        if name in self.__all__:
            return self.__wrapped__
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


@functools.cache
def in_python(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose errors name parameters, and not options of a command."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except AutosegError as error:
            error.args = tuple(
                for_python(said) if isinstance(said, str) else said
                for said in error.args
            )
            raise

    return called


def make_callable(package: str) -> None:
    """Let the package of this name be called like the function in its ``stage.py``."""
    sys.modules[package].__class__ = _Stage
