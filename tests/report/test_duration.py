"""How long a page will take is found by drawing one of its pictures."""

from types import SimpleNamespace

import pytest

from autoseg.errors import AutosegError
from autoseg.report import duration
from autoseg.report.duration import page_seconds

REST = 5.0


def _dataset(cases, annotated=True):
    case = SimpleNamespace(annotation="file" if annotated else None)
    return SimpleNamespace(training=[case] * cases)


@pytest.fixture
def drawn(monkeypatch):
    """A clock that goes on by ten seconds where a case is read and drawn."""
    clock = [0.0]

    def read(case, prediction, annotation):
        clock[0] += 7.0
        return f"view of {case.annotation}"

    def draw(view):
        assert view == "view of file"
        clock[0] += 2.0
        return b"picture"

    def load(figure):
        clock[0] += 100.0  # what is loaded once

    monkeypatch.setattr(duration, "Artist", lambda dataset: SimpleNamespace(view=read))
    monkeypatch.setattr(duration, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(duration, "figure_bytes", load)
    monkeypatch.setattr(duration, "draw_case", draw)
    monkeypatch.setattr(
        duration, "sheets_of", lambda view: clock.__setitem__(0, clock[0] + 1.0)
    )


def test_one_picture_stands_for_three_examples_and_three_cases_that_are_scored(drawn):
    # Ten seconds each, with half as much again.
    assert page_seconds(_dataset(3)) == REST + 1.5 * 6 * 10


def test_without_a_picture_the_rest_of_the_page_is_left(drawn, monkeypatch):
    def fails(*_):
        raise AutosegError("This image cannot be read.")

    assert page_seconds(_dataset(1)) > REST
    assert page_seconds(_dataset(0)) == REST
    assert page_seconds(_dataset(2, annotated=False)) == REST
    monkeypatch.setattr(duration, "_seconds", fails)
    assert page_seconds(_dataset(2)) == REST
