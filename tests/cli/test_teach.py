"""`autoseg teach` hands on what is given, and says what comes next."""

from pathlib import Path

from autoseg.cli.main import main
from autoseg.train.teach import stage


def test_the_command_says_what_comes_next(monkeypatch, capsys):
    given = []

    def teach(*names, **options):
        given.extend([names, options])
        return Path("new set")

    monkeypatch.setattr(stage, "teach", teach)
    words = "teach Few more -m best.zip -o new --sure 0.8 -f 0 1 --root R".split()

    assert main(words) == 0

    assert given[0] == ("Few", Path("more"), "best.zip", Path("new"), Path("R"))
    assert given[1]["sure"] == 0.8 and given[1]["folds"] == ["0", "1"]
    said = capsys.readouterr().out
    assert "autoseg plan_and_preprocess 'new set' --root R" in said
