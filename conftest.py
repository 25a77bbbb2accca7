"""What pytest does in all folders of the repository."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule

FROM_THE_END = "from the end"  # is what a worker is told that reads tests so
OURS = ("autoseg", "planners")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Let the last of several workers read all tests from their end.

    Where no bytecode is there yet, to make it takes ten seconds, and workers that read
    in the same order all make all of it.
    """
    count = node.workerinput["workercount"]
    last = count > 1 and node.workerinput["workerid"] == f"gw{count - 1}"
    whole = node.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    node.workerinput[FROM_THE_END] = last and whole


def _read_from_the_end(root: Path) -> None:
    for path in sorted((root / "tests").rglob("test_*.py"), reverse=True):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        # What cannot be read is told where it is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker its share at once; one that is done takes from another's end.

    Otherwise pieces are handed out, and the last one may hold the longest tests. And
    what is made once for a file is made by one worker.
    """
    if config.getoption("dist") != "load":  # what -n says
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Read the constants of our modules for hypothesis, which draws some of them.

    It parses each module, which takes four seconds, and keeps what it finds. One worker
    begins at the end, as above.
    """
    told = getattr(config, "workerinput", {})
    if FROM_THE_END not in told or "hypothesis" not in sys.modules:
        return
    with contextlib.suppress(ImportError):  # nobody promises that it stays there
        from hypothesis.internal.constants_ast import constants_from_module

        ours = [n for n in sys.modules if n.partition(".")[0] in OURS]
        for name in sorted(ours, reverse=told[FROM_THE_END]):
            constants_from_module(sys.modules[name])


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Keep what is imported and collected out of the search for garbage.

    All of it stays to the end, and there is so much of it that each look takes long.
    """
    gc.disable()
    try:
        if getattr(session.config, "workerinput", {}).get(FROM_THE_END):
            _read_from_the_end(session.config.rootpath)
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        # Tests make many objects and few circles: by default four of a hundred
        # seconds are spent on looking for them.
        gc.set_threshold(20_000, 20, 10)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Any:
    """Look for examples where there are some: of 1,300 files, in a hundred.

    To look costs more than to read: each docstring of a module is parsed, in each
    process of a run.
    """
    collectors = yield
    if any(isinstance(one, DoctestModule) for one in collectors):
        if b">>>" not in file_path.read_bytes():
            return [c for c in collectors if not isinstance(c, DoctestModule)]
    return collectors
