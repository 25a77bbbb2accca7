import dataclasses
import shlex
import shutil

import pytest

from autoseg.cli import demo
from autoseg.cli._main import commands, load_command, main, make_parser


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """One run of a demo that is smaller than --quick: where it is, what it said."""
    import contextlib
    import io

    size = dataclasses.replace(
        demo.QUICK, training=5, voxels=24, iterations=4, features=(4, 8)
    )
    folder = tmp_path_factory.mktemp("demo") / "here"
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(demo, "QUICK", size)
        patch.delenv("AUTOSEG_ROOT", raising=False)
        code = main(["demo", "--quick", "--folder", str(folder)])
    return size, folder, code, said.getvalue()


def _printed(said):
    rows = [row for row in said.splitlines() if row.startswith("$ autoseg ")]
    return [shlex.split(row.removeprefix("$ autoseg ")) for row in rows]


def test_it_goes_through_every_stage_and_ends_with_a_picture(quick):
    _, folder, code, said = quick

    assert code == 0
    assert [words[0] for words in _printed(said)] == [
        "check", "plan_and_preprocess", "train", "predict", "evaluate",
    ]  # fmt: skip
    assert str(folder / "overlay.png") in said
    assert (folder / "overlay.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "predictions" / "summary.json").is_file()
    for name in ("muscle", "chamber", "vessel"):
        assert name in said.rpartition("never saw")[2]


def test_what_is_printed_can_be_typed(quick):
    *_, said = quick

    for words in _printed(said):
        assert words[0] in commands()
        parser = make_parser(words[0], load_command(words[0]))
        parser.parse_args(words[1:])  # exits where a flag is not known

    assert len(_printed(said)) == 5


def test_stopped_it_goes_on(quick, monkeypatch, capsys):
    size, folder, *_ = quick
    monkeypatch.setattr(demo, "QUICK", size)
    weights = next(folder.rglob("checkpoint_final.pt"))
    before = weights.stat().st_mtime_ns
    lost = sorted((folder / "predictions").glob("*.nii.gz"))[0]
    voxels = lost.read_bytes()
    lost.unlink()
    (folder / "overlay.png").unlink()

    code = main(["demo", "--quick", "--folder", str(folder)])

    assert code == 0
    assert weights.stat().st_mtime_ns == before  # not trained again
    assert lost.read_bytes() == voxels
    assert (folder / "overlay.png").is_file()
    assert "never saw" in capsys.readouterr().out


def test_another_size_wants_another_folder(quick, capsys):
    _, folder, *_ = quick

    code = main(["demo", "--folder", str(folder)])

    assert code == 2
    assert "--folder" in capsys.readouterr().err


def test_a_result_that_cannot_be_is_a_failure(quick, tmp_path, capsys):
    size, folder, *_ = quick
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    strict = dataclasses.replace(size, expected=0.9999)

    code = demo._finish(copy, copy / "raw" / demo.DATASET, strict, 75.0)

    assert code == 1
    said = capsys.readouterr().out
    assert "something is wrong with this installation" in said
    assert "1 min 15 s" in said
