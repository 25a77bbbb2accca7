"""Odd values, names and machines end in a sentence, never in a traceback."""

import errno
import json
import os
import subprocess
import sys

import pytest

from autoseg.cli.main import main
from autoseg.datasets.description import Description
from autoseg.datasets.filenames import refuse_names
from autoseg.datasets.read import read_dataset
from autoseg.errors import (
    CaseErrors,
    DatasetError,
    UsageError,
    printable,
    stops_everything,
)
from autoseg.evaluate.summary import Summary
from autoseg.parallel import map_cases
from autoseg.predict.options import Options as PredictOptions
from autoseg.spec.foreign.cells import text_cell
from autoseg.train.setup.options import Options as TrainOptions
from tests import toy


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_reason_to_fail(tmp_path, closed):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    command = f'"{sys.executable}" -m autoseg check "{folder}" {closed}'

    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, -1])
def test_memory_that_is_no_number_is_refused(value):
    with pytest.raises(UsageError, match="most memory"):
        PredictOptions(max_memory=value)


def test_a_seed_too_large_for_any_generator_is_refused():
    with pytest.raises(UsageError, match="--seed is 1e\\+30"):
        TrainOptions(seed=10**30)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "1" * 5000 + "}"])
def test_json_that_never_ends_is_no_traceback(tmp_path, capsys, text):
    (tmp_path / "dataset.json").write_text(text)

    assert main(["check", str(tmp_path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_half_a_letter_is_spelled_out(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    raw = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**raw, "unit": "\ud800"}))

    assert main(["check", str(folder)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "a\udcff", "a\x07"])
def test_names_that_are_no_text_are_refused_before_a_file_is_opened(tmp_path, name):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    (folder / "imagesTr" / f"{name}_0000.nii.gz").write_bytes(b"")

    with pytest.raises(DatasetError, match="no printable text") as caught:
        read_dataset(folder)

    assert str(folder / "imagesTr") in str(caught.value)
    assert printable(str(caught.value)) == str(caught.value)


def test_letters_of_any_language_are_names(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    for part, end in (("imagesTr", "_0000"), ("labelsTr", "")):
        file = folder / part / f"case_00{end}.nii.gz"
        file.rename(file.with_name(f"Müller 漢字 (é){end}.nii.gz"))

    assert len(read_dataset(folder)[0].training) == 2


def test_a_full_disk_stops_everything_with_one_message():
    def full(case):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        map_cases(full, ["a", "b"], stage="test", workers=1)


def test_a_bad_case_stops_no_other():
    def one(case):
        if case == "a":
            raise OSError(errno.EIO, "bad sector")
        return case

    with pytest.raises(CaseErrors) as caught:
        map_cases(one, ["a", "b"], stage="test", workers=1)

    assert list(caught.value.failures) == ["a"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ImportError("failed to map segment"),
        *(OSError(getattr(errno, n), n) for n in ("ENOMEM", "EMFILE", "EFBIG")),
    ],
)
def test_what_the_machine_lacks_is_no_damaged_file(tmp_path, monkeypatch, error):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))

    def fails(*_, **__):
        raise error

    monkeypatch.setattr("autoseg.fingerprint.check.case.find_format", fails)
    from autoseg.fingerprint.check.stage import check

    assert stops_everything(error)
    with pytest.raises(type(error)):
        check(folder)


@pytest.mark.parametrize(
    ("expression", "good"),
    [
        (r"(patient\d+)_", True),
        (r"^([a-z]+)-\d+", True),
        (r"(case[_-]?\d{2})", True),
        (r"((?:ab|cd)\d*)_", True),
        (r"([^_]*)_", True),
        (r"((a+)+)b", False),
        (r"(?:a|a)*(b)", False),
        (r"((?:\d*)*)x", False),
        (r"(a*a*a*a*a*)b", False),
        (r"((?:a{1,90}){1,90})b", False),
    ],
)
def test_expressions_that_may_take_forever_are_refused(tmp_path, expression, good):
    described = Description(tmp_path, {"groups": expression})

    group_of = described.groups()

    assert (described.problems == []) is good or "groups in paren" in str(
        described.problems
    )
    if not good:
        assert "forever" in described.problems[0]
        assert group_of("a" * 200) is None  # at once


def test_formulas_in_tables_are_texts(tmp_path):
    summary = Summary(
        unit="mm",
        foreground={},
        classes={},
        cases={"=1+1": {"=HYPERLINK(1)": {"dice": -0.5}, "@x": {"dice": 1.0}}},
    )

    summary.save_table(tmp_path / "summary.csv")

    lines = (tmp_path / "summary.csv").read_text().splitlines()
    assert lines[1:] == ["'=1+1,'=HYPERLINK(1),-0.5", "'=1+1,'@x,1.0"]
    assert [text_cell(t) for t in ("+1", "-1", "liver")] == ["'+1", "'-1", "liver"]


def test_many_labels_take_no_more_than_their_share(tmp_path):
    from autoseg.tasks.semantic.labels import options_from_dataset
    from tests.tasks.test_semantic_regions import described

    labels = {"background": 0, **{f"L{n}": n for n in range(1, 100_001)}}
    folder = described(tmp_path, labels=labels)

    dataset, problems = read_dataset(folder)  # seconds, not hours

    assert problems == [] and len(options_from_dataset(dataset)["labels"]) == 100_001
    assert os.path.isdir(folder)


def test_labels_with_control_characters_do_not_reach_the_terminal(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    raw = json.loads((folder / "dataset.json").read_text())
    names = {"background": 0, "a\x1b[31mred": 1, "b\r\x07": 2, "never\x9b": 3}
    (folder / "dataset.json").write_text(json.dumps({**raw, "labels": names}))
    root = ["--root", str(tmp_path / "root")]

    for words in (["check"], ["fingerprint", *root], ["plan", *root]):
        assert main([words[0], str(folder), *words[1:]]) == 0
    written = "".join(capsys.readouterr())

    assert not set(written) & {"\x1b", "\r", "\x07", "\x9b"}
    assert "a\\x1b[31mred" in written and "b\\r\\x07" in written


@pytest.mark.parametrize(
    ("name", "cure"),
    [("f\udcc3\udca4ll", "PYTHONUTF8=1"), ("f\udce4ll", "Rename"), ("\x07", "Rename")],
    ids=["UTF-8 read as ASCII", "Latin-1", "a bell"],
)
def test_names_that_only_the_locale_cannot_read_need_no_other_name(
    tmp_path, name, cure
):
    with pytest.raises(DatasetError, match=cure):
        refuse_names(tmp_path, ["good", name])
