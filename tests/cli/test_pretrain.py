"""`autoseg pretrain` hands on what is given, and says how to train from it."""

from pathlib import Path

from autoseg.cli.main import main
from autoseg.train.pretrain import stage


def test_the_command_says_how_to_train_from_what_was_learned(monkeypatch, capsys):
    given = []

    def pretrain(*names, **options):
        given.extend([names, options])
        return Path("there.pt")

    monkeypatch.setattr(stage, "pretrain", pretrain)
    words = "pretrain images Few 2d --time-budget 5m --plan small --hidden 0.5"

    assert main([*words.split(), "--set", "network.features=8,16"]) == 0

    assert given[0] == (Path("images"), "Few", "2d", None)
    assert given[1]["time_budget"] == "5m" and given[1]["hidden"] == 0.5
    assert list(given[1]["settings"]["network.features"]) == [8, 16]
    said = capsys.readouterr().out
    assert "autoseg train Few 2d 0 --plan small --init-from there.pt" in said
