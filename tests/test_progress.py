"""Bars on terminals, lines elsewhere."""

import io

from autoseg.progress import Progress


def test_progress_off_a_terminal_is_a_line_now_and_then():
    stream = io.StringIO()

    with Progress(4, "predict", stream, seconds=0) as bar:
        bar.step("case_1")
        bar.step("case_2", steps=2)

    first, second = stream.getvalue().splitlines()
    assert first.startswith("predict: 1/4") and first.endswith("case_1")
    assert second.startswith("predict: 3/4") and second.endswith("case_2")


def test_progress_in_percent_shows_no_counts():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream in (io.StringIO(), Terminal()):
        with Progress(400, "predict", stream, seconds=0, percent=True) as bar:
            bar.step("case_3 (3 of 4)", steps=300)
            bar.step("case_4 (4 of 4)", steps=100)

        assert "400" not in stream.getvalue()
        assert "100 %" in stream.getvalue()
        assert "case_4 (4 of 4)" in stream.getvalue()


def test_progress_off_a_terminal_is_silent_while_little_time_has_passed():
    stream = io.StringIO()

    with Progress(4, "predict", stream, seconds=1e6) as bar:
        bar.step("case_1")

    assert stream.getvalue() == ""


def test_progress_on_a_terminal_is_a_bar():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()

    with Progress(2, "predict", stream) as bar:
        bar.step("case_1")
        bar.step("case_2")

    assert "predict" in stream.getvalue()
    assert "2/2" in stream.getvalue()
