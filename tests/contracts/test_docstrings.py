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


def _public():
    for root in (autoseg, planners):
        for module in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
            if module.name.endswith("__main__"):
                continue
            found = importlib.import_module(module.name)
            for name, value in vars(found).items():
                mine = getattr(value, "__module__", None) == module.name
                if mine and not name.startswith("_") and callable(value):
                    yield f"{module.name}.{name}"


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


@pytest.mark.parametrize("name", sorted(set(_public())))
def test_docstring(name):
    module, _, attribute = name.rpartition(".")
    subject = getattr(importlib.import_module(module), attribute)
    text = inspect.getdoc(subject) or ""
    wanted = CHECKS
    if len(text.splitlines()) == 1 or "Parameters\n---" not in text:
        wanted = wanted - ONE_LINERS_MAY_OMIT
    if inspect.isclass(subject) or "Returns\n---" not in text:
        wanted = wanted - {"RT01"}

    found = {
        code: text
        for code, text in numpydoc.validate(name)["errors"]
        if code in wanted and not _is_private(code, text)
    }

    assert not found
