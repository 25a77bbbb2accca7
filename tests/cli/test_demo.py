import contextlib
import dataclasses
import io
import math
import shlex
import shutil
from types import SimpleNamespace

import pytest

from autoseg.cli import _demos, demo
from autoseg.cli.main import commands, load_command, main, make_parser
from autoseg.evaluate.aggregate import Statistic
from autoseg.evaluate.points import ALL
from autoseg.evaluate.summary import Summary

VOXELS = {"semantic": 24, "instance": 64, "landmark": 24}
RESULTS = {
    "semantic": ("muscle", "chamber", "vessel"),
    "instance": ("AP at IoU 0.5", "mean AP", "PQ"),
    "landmark": ("MRE", "SDR within 2 mm", "presence, precision", "presence, recall"),
}


def _small(task):
    """Return a demo that is smaller than --quick."""
    whole = _demos.DEMOS[task]
    size = dataclasses.replace(
        whole.quick, training=5, voxels=VOXELS[task], iterations=4, features=(4, 8)
    )
    return dataclasses.replace(whole, quick=size)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a function that runs a task's demo, once in all: what it was and said."""
    found = {}

    def run(task):
        if task in found:
            return found[task]
        small, folder = _small(task), tmp_path_factory.mktemp(task) / "here"
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.setattr(demo, "DEMOS", {task: small})
            patch.delenv("AUTOSEG_ROOT", raising=False)
            code = main(["demo", "--task", task, "--quick", "--folder", str(folder)])
        found[task] = SimpleNamespace(
            task=task, demo=small, folder=folder, code=code, said=said.getvalue()
        )
        return found[task]

    return run


@pytest.fixture(params=tuple(_demos.DEMOS))
def quick(request, runs):
    return runs(request.param)


@pytest.fixture
def semantic(runs):
    """For what is alike in all."""
    return runs("semantic")


def _printed(said):
    rows = [row for row in said.splitlines() if row.startswith("$ autoseg ")]
    return [shlex.split(row.removeprefix("$ autoseg ")) for row in rows]


def test_it_goes_through_every_stage_and_ends_with_a_picture(quick):
    name = quick.demo.dataset

    assert quick.code == 0
    assert [words[0] for words in _printed(quick.said)] == [
        "check", "plan_and_preprocess", "train", "predict", "evaluate",
    ]  # fmt: skip
    picture = quick.folder / f"{name.lower()}.png"
    assert str(picture) in quick.said
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (quick.folder / "predictions" / name / "summary.json").is_file()
    for measure in RESULTS[quick.task]:
        assert measure in quick.said.rpartition("never saw")[2]


def test_check_finds_nothing_wrong_with_what_is_made(quick):
    assert "Nothing is wrong." in quick.said


def test_what_is_printed_can_be_typed(quick):
    for words in _printed(quick.said):
        assert words[0] in commands()
        parser = make_parser(words[0], load_command(words[0]))
        parser.parse_args(words[1:])  # exits where a flag is not known

    assert len(_printed(quick.said)) == 5


def test_stopped_it_goes_on(semantic, monkeypatch, capsys):
    monkeypatch.setattr(demo, "DEMOS", {"semantic": semantic.demo})
    folder, name = semantic.folder, semantic.demo.dataset
    weights = next(folder.rglob("checkpoint_final.pt"))
    before = weights.stat().st_mtime_ns
    lost = sorted((folder / "predictions" / name).glob("*.nii.gz"))[0]
    voxels = lost.read_bytes()
    lost.unlink()
    picture = folder / f"{name.lower()}.png"
    picture.unlink()

    code = main(["demo", "--quick", "--folder", str(folder)])

    assert code == 0
    assert weights.stat().st_mtime_ns == before  # not trained again
    assert lost.read_bytes() == voxels
    assert picture.is_file()
    assert "never saw" in capsys.readouterr().out


def test_another_size_wants_another_folder(semantic, capsys):
    code = main(["demo", "--folder", str(semantic.folder)])

    assert code == 2
    assert "--folder" in capsys.readouterr().err


def test_a_result_that_cannot_be_is_a_failure(semantic, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(semantic.folder, copy)
    strict = dataclasses.replace(semantic.demo.quick, strict=True)

    shown = demo._finish(semantic.demo, strict, copy, 75.0)

    assert not shown.good  # four iterations cannot reach a Dice of 0.8
    said = capsys.readouterr().out
    assert "This is worse than it should be: the Dice of" in said
    assert "1 min 15 s" in said


def _statistic(mean):
    nan = math.nan
    return Statistic(
        mean=mean, std=nan, median=nan, low=nan, high=nan, count=1, infinite=0
    )


def _summary(**entries):
    rest = {"unit": "mm", "foreground": {}, "classes": {}, "cases": {}}
    return Summary(**rest | entries)


def test_objects_are_judged_by_their_ap_and_points_by_error_and_presence():
    def objects(ap):
        found = {"ap_50_pooled": _statistic(ap)}
        cells = _demos.DEMOS["instance"]
        return cells.judge(_summary(foreground=found), cells.full)

    def points(**over):
        good = {"mre": half - 0.01, "precision": 0.95, "recall": 0.95}
        return beetles.judge(_summary(points={ALL: good | over}), size)

    beetles = _demos.DEMOS["landmark"]
    size = dataclasses.replace(beetles.full, voxels=36)
    half = 1.0  # mm: 72 mm in 36 voxels

    assert objects(_demos.LEAST_AP + 0.01) == []
    assert len(objects(_demos.LEAST_AP - 0.01)) == len(objects(math.nan)) == 1
    assert points() == []
    assert "half a voxel" in points(mre=half + 0.01)[0]
    assert "recall of presence" in points(recall=0.8)[0]
    assert len(points(mre=math.nan, precision=math.nan)) == 2
    assert len(beetles.judge(_summary(), size)) == 3  # nothing was found


def test_a_bar_is_as_long_as_the_value():
    table = dataclasses.replace(
        _demos.DEMOS["semantic"],
        rows=lambda summary, size: [("half", "0.500", 0.5), ("none", "-", math.nan)],
    ).table(_summary(), _demos.DEMOS["semantic"].full)

    assert [line.count("█") for line in table] == [20, 0]  # of 40
