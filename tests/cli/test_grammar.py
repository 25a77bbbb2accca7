"""DATASET CONFIGURATION FOLD: the same words in the same order everywhere."""

import pytest

from autoseg.cli._which import chosen_datasets, chosen_fold
from autoseg.cli.main import commands, load_command, main, make_parser
from autoseg.errors import UsageError
from tests.each import each

ORDER = ["dataset", "configuration", "configurations", "fold", "folds"]


def _parse(text):
    name, *words = text.split()
    return make_parser(name, load_command(name)).parse_args(words)


@each("name", commands())
def test_options_are_spelled_with_hyphens_and_shown_once(name):
    parser = make_parser(name, load_command(name))
    for action in parser._actions:
        words = action.option_strings
        assert len(words) <= 2
        assert all("_" not in w and (w[:2] == "--" or len(w) == 2) for w in words)
    places = [a.dest for a in parser._actions if not a.option_strings]
    known = [place for place in places if place in ORDER]
    assert known == sorted(known, key=ORDER.index)


@pytest.mark.parametrize(
    "text",
    [
        "train D 2d 0",
        "train -d D -c 2d -f 0",
        "train D --epochs 3 2d -f 0",
        "train --plan unet D 2d --fold 0",
    ],
)
def test_a_place_and_its_option_are_the_same(text):
    found = _parse(text)
    assert (found.dataset, found.configuration, found.fold) == ("D", "2d", "0")
    assert chosen_fold(found) == "0"


@pytest.mark.parametrize(
    "text",
    [
        "predict D 3d_fullres 0 1 -i in -o out",
        "predict -i in -o out -d D -c 3d_fullres -f 0 1",
        "predict -o out D 3d_fullres -f 0 1 --input in",
        "export D 3d_fullres 0 1 -o m.zip",
        "export D -o m.zip 3d_fullres --folds 0 1",
    ],
)
def test_several_folds_may_be_meant(text):
    found = _parse(text)
    assert (found.dataset, found.configuration) == ("D", "3d_fullres")
    assert found.folds == ["0", "1"]


def test_data_sets_are_taken_by_place_and_by_nnunets_option():
    assert chosen_datasets(_parse("check 4 -d 7 4")) == ["4", "7"]
    assert chosen_datasets(_parse("fingerprint -d 7")) == ["7"]
    assert chosen_datasets(_parse("report 7 -d 7")) == ["7"]
    with pytest.raises(UsageError, match="which data set"):
        chosen_datasets(_parse("check"))


def test_two_that_differ_are_refused():
    with pytest.raises(UsageError, match="One configuration .*'3d_fullres' and '2d'"):
        _parse("train D 2d 0 -c 3d_fullres")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train", "which data set?"),
        ("train D", "which configuration? Give 2d or 3d_fullres"),
        ("train D 2d", "autoseg train D 2d 0"),
        ("train D 2d all_folds", "Did you mean 'all-folds'?"),
        ("report D --fold 0", "No data set 'D'"),
    ],
)
def test_what_is_missing_is_asked_for(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert said in capsys.readouterr().err


def test_spellings_of_before_are_understood_and_not_shown():
    old = "predict -i a -o b -m M -tr T -step_size 0.5 --disable_tta -npp 1 -nps 2"
    new = "predict -i a -o b -m M --trainer T --step-size 0.5 --disable-tta"
    assert vars(_parse(old + " -chk best --c -num_parts 2")) == vars(
        _parse(
            new + " --readers 1 --writers 2 --checkpoint best --continue-prediction"
            " --num-parts 2"
        )
    )


def test_a_value_that_is_no_choice_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit):
        _parse("demo --task landmrk")
    assert "Did you mean 'landmark'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("predict D 2d -i in --outptu out", "'--output'"),
        ("predict D 2d -i in -o out --mdoel m", "'--model'"),
        ("train D 2d 0 --iteration=5", "'--iterations'"),
        ("preprocess D --jobs 3", "'--workers'"),
        ("predict -i in -o out --num_workers=3", "'--threads'"),
        ("train D 2d 0 --gpu 1", "'--device'"),
    ],
)
def test_an_option_that_is_not_there_is_answered_with_the_one_meant(text, near, capsys):
    with pytest.raises(SystemExit) as ended:
        _parse(text)
    assert ended.value.code == 2
    said, more = capsys.readouterr().err.splitlines()
    assert said.endswith(f"Did you mean {near}?")
    assert more == f"All options: autoseg {text.split()[0]} -h"


def test_underscores_are_hyphens_in_options_and_not_in_values():
    found = _parse("train D 2d 0 --time_budget=2m --init_from my_model --set a_b=1")
    assert (found.time_budget, found.init_from) == ("2m", "my_model")
    assert found.settings == ["a_b=1"]
