"""Every public function and class documents its parameters and what it returns."""

import importlib
import inspect
import pkgutil
import re

import pytest
from numpydoc import validate as numpydoc

import autoseg
import planners

CHECKS = {
    "GL08",  # there is a docstring
    "SS03",  # its summary ends with a period
    "PR01",  # every parameter is documented
    "PR02",  # no parameter is documented that is not there
    "RT01",  # what comes back is documented
}
ONE_LINERS_MAY_OMIT = {"PR01", "RT01"}  # where types and one line say it all


# By room: a test for each of 2,300 names took longer to hand out than to run.
ROOMS = sorted(
    room.name
    for root in (autoseg, planners)
    for room in pkgutil.iter_modules(root.__path__, root.__name__ + ".")
    if not room.name.endswith("__main__")
)


def _modules(room):
    """Return the names of a room's modules; nothing is imported before it is asked."""
    yield room
    inside = getattr(importlib.import_module(room), "__path__", None)
    if inside is not None:
        for below in pkgutil.walk_packages(inside, room + "."):
            if not below.name.endswith("__main__"):
                yield below.name


def _public(module):
    """Return the public functions and classes of a module."""
    return sorted(
        name
        for name, value in vars(importlib.import_module(module)).items()
        if getattr(value, "__module__", None) == module
        and not name.startswith("_")
        and callable(value)
    )


def _is_private(code, text):
    """Say whether all undocumented parameters are a dataclass's private fields."""
    return code == "PR01" and all(n[0] == "_" for n in re.findall(r"'(\w+)'", text))


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_excused():
    """Look for no comments that excuse: that is half of the time, and none is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpydoc, "extract_ignore_validation_comments", lambda path: {})
        patch.setattr(numpydoc.Validator, "source_file_def_line", 1)
        yield


def _faults(module, name):
    subject = getattr(importlib.import_module(module), name)
    text = inspect.getdoc(subject) or ""
    wanted = CHECKS
    if len(text.splitlines()) == 1 or "Parameters\n---" not in text:
        wanted = wanted - ONE_LINERS_MAY_OMIT
    if inspect.isclass(subject) or "Returns\n---" not in text:
        wanted = wanted - {"RT01"}
    return {
        code: text
        for code, text in numpydoc.validate(f"{module}.{name}")["errors"]
        if code in wanted and not _is_private(code, text)
    }


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings(room):
    faults = {
        f"{module}.{name}": _faults(module, name)
        for module in _modules(room)
        for name in _public(module)
    }
    faults = {name: found for name, found in faults.items() if found}

    assert not faults, "\n".join(f"{name}: {f}" for name, f in faults.items())
