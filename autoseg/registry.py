"""Find plug-ins: one public file in a plug-in folder is one plug-in.

The file's name is the plug-in's name, in plans and on the command line. Files that
start with an underscore, and the interface in ``base.py``, are not plug-ins; a folder
names what else it keeps beside them. Nothing else has to be edited to add one, and
looking one up imports that one file only. Packages outside autoseg add theirs
by an entry point of the group ``autoseg.<kind>``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import logging
import os
import pkgutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from autoseg.errors import PluginError, did_you_mean

logger = logging.getLogger(__name__)

T = TypeVar("T")
Plugin = TypeVar("Plugin")


def entry_points(group: str) -> Sequence[EntryPoint]:
    """Return the entry points of a group, of all packages that can be imported."""
    return _declared(tuple(sys.path)).get(group, ())


@functools.lru_cache(maxsize=4)
def _declared(path: tuple[str, ...]) -> dict[str, tuple[EntryPoint, ...]]:
    """Read all packages once: it takes longer than everything else in a look-up."""
    found: Any = importlib.metadata.entry_points()
    ours = [group for group in found.groups if group.startswith("autoseg.")]
    return {group: tuple(found.select(group=group)) for group in ours}


def _modules(folders: Sequence[str]) -> frozenset[str]:
    """Return the modules in the folders of a package, listed again if one changed."""
    changed = [os.stat(f).st_mtime_ns if os.path.isdir(f) else 0 for f in folders]
    return _listed(tuple(folders), tuple(changed))


@functools.lru_cache(maxsize=256)
def _listed(folders: tuple[str, ...], changed: tuple[int, ...]) -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(folders))


class Registry(Generic[T]):
    """The plug-ins of one kind, all in one folder.

    Parameters
    ----------
    kind : str
        What one of them is called in messages and in the name of its entry point
        group, such as ``"task"``.
    package : str
        Dotted name of the folder, such as ``"autoseg.tasks"``.
    besides : collection of str
        Files of the folder that other packages use and that are no plug-ins.
    of_modules : bool
        Each plug-in is a module, found by its place; nothing in it is registered.
    renamed : mapping of str to str
        Names that plug-ins had in older versions, with those that they have now. Plans
        and models that were made then keep them; whoever uses one is told once.

    Examples
    --------
    >>> from autoseg.tasks import TASKS
    >>> "semantic" in TASKS.names()
    True
    """

    def __init__(
        self,
        kind: str,
        package: str,
        besides: Collection[str] = (),
        of_modules: bool = False,
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.kind = kind
        self.package = package
        self.besides = frozenset(besides) | {"base"}
        self.of_modules = of_modules
        self.renamed = dict(renamed)
        self._told: set[str] = set()
        self._plugins: dict[str, Any] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of all plug-ins, sorted, without importing any."""
        found = set(_modules(list(importlib.import_module(self.package).__path__)))
        found |= {point.name for point in self._entry_points()}
        found -= self.besides
        return tuple(sorted(name for name in found if not name.startswith("_")))

    def register(self, plugin: Plugin) -> Plugin:
        """Enter a class or function under the name of the file it is in."""
        package, _, name = str(getattr(plugin, "__module__", "")).rpartition(".")
        if package != self.package:
            raise PluginError(
                f"{plugin!r} registers as a {self.kind}, so its file belongs in "
                f"{self.package.replace('.', '/')}/, not in {package}."
            )
        if name in self._plugins:
            raise PluginError(
                f"{self.package}.{name} registers two {self.kind}s; "
                "move the second to a file of its own."
            )
        self._plugins[name] = plugin
        return plugin

    def __contains__(self, name: object) -> bool:
        return name in self.renamed or name in self.names()

    def current(self, name: str) -> str:
        """Return the name that a plug-in has now, if it had this one before."""
        present = self.renamed.get(name, name)
        if present != name and name not in self._told:
            self._told.add(name)
            logger.warning(
                "The %s %r is called %r now; the old name will go with the next major "
                "version.",
                self.kind,
                name,
                present,
            )
        return present

    def __getitem__(self, name: str) -> T:
        """Return the plug-in of this name, importing its file if need be.

        Raises
        ------
        PluginError
            If no file has this name, or its file registers nothing.
        """
        name = self.current(name)
        if name in self._plugins:
            return cast(T, self._plugins[name])
        names = self.names()
        if name not in names:
            raise PluginError(
                f"No {self.kind} is called {name!r}.{did_you_mean(name, names)} "
                f"There are: {', '.join(names)}."
            )
        for point in self._entry_points():
            if point.name == name:
                self._plugins[name] = point.load()
                return cast(T, self._plugins[name])
        module = importlib.import_module(f"{self.package}.{name}")
        if self.of_modules:
            self._plugins[name] = module
        try:
            return cast(T, self._plugins[name])
        except KeyError:
            raise PluginError(
                f"{self.package}.{name} registers no {self.kind}; put "
                f"@register over the class, or start the file's name with '_'."
            ) from None

    def get(self, name: str, default: T) -> T:
        """Return the plug-in of this name, or the default if there is none."""
        return self[name] if name in self else default

    @contextmanager
    def holding(self, name: str, plugin: T) -> Iterator[None]:
        """Let a name mean a plug-in for a while, as contracts and tests need it."""
        before = self._plugins.get(name)
        self._plugins[name] = plugin
        try:
            yield
        finally:
            del self._plugins[name]
            if before is not None:
                self._plugins[name] = before

    def origin(self, name: str) -> str:
        """Return where a plug-in is that another package added, as ``module:name``."""
        return next(p.value for p in self._entry_points() if p.name == name)

    def _entry_points(self) -> list[EntryPoint]:
        return list(entry_points(group=f"autoseg.{self.kind}"))
