"""Drawing leaves no word of matplotlib's own where a home may not be written to."""

import os
import sys
from pathlib import Path

import pytest

from autoseg.figures.figure import PLACE, give_place


@pytest.mark.parametrize("writable", [True, False])
def test_a_home_that_may_not_be_written_to_gets_a_folder_beside(
    tmp_path, monkeypatch, writable
):
    """What matplotlib asks for: .config/matplotlib and .cache/matplotlib."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(PLACE, "x")  # so that it is put back
    monkeypatch.delenv(PLACE)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: (
            access(path, mode) and (writable or not Path(path).is_relative_to(tmp_path))
        ),
    )

    give_place()

    assert (PLACE in os.environ) is not writable
    assert writable or Path(os.environ[PLACE]).is_dir()
    assert not list(tmp_path.iterdir())
