import shutil

import pytest

from autoseg.cli.evaluate import read_labels
from autoseg.cli.main import main
from autoseg.errors import UsageError
from tests import toy


@pytest.fixture
def dataset(tmp_path):
    return toy.volumes(tmp_path / "Toy", cases=3, test=0)


def _run(*words):
    return main(["evaluate", "-np", "1", *map(str, words)])


def test_a_table_is_printed_and_files_are_written(dataset, tmp_path, capsys):
    code = _run("-g", dataset / "labelsTr", "-p", dataset / "labelsTr", "-d", dataset,
                "-o", tmp_path / "out")  # fmt: skip

    said = capsys.readouterr().out
    assert code == 0
    assert "1.000" in said and "one" in said and "mean over classes" in said
    assert str(tmp_path / "out" / "summary.json") in said
    assert (tmp_path / "out" / "summary.csv").is_file()


def test_annotations_are_those_of_the_data_set_unless_given(dataset, tmp_path, capsys):
    code = _run("-p", dataset / "labelsTr", "-d", dataset, "-o", tmp_path)

    assert code == 0
    assert "1.000" in capsys.readouterr().out


def test_the_data_set_may_be_given_by_its_file_as_in_nnunet(dataset, tmp_path):
    truth = dataset / "labelsTr"

    assert _run("-g", truth, "-p", truth, "-d", dataset / "dataset.json",
                "-o", tmp_path) == 0  # fmt: skip


def test_labels_may_be_given_on_the_command_line(dataset, tmp_path, capsys):
    truth = dataset / "labelsTr"

    code = _run(
        "-g", truth, "-p", truth, "-l", "1", "both=1,2", "-o", tmp_path / "s.json"
    )

    assert code == 0
    assert "both" in capsys.readouterr().out
    assert (tmp_path / "s.json").is_file() and (tmp_path / "s.csv").is_file()


def test_missing_predictions_are_a_mistake_unless_chilled(dataset, tmp_path, capsys):
    shutil.copytree(dataset / "labelsTr", tmp_path / "p")
    (tmp_path / "p" / "case_01.nii.gz").unlink()

    strict = _run("-p", tmp_path / "p", "-d", dataset)
    said = capsys.readouterr()
    relaxed = _run("-p", tmp_path / "p", "-d", dataset, "--chill")

    assert strict == 2 and "case_01" in said.err and "--chill" in said.err
    assert relaxed == 0 and "not scored: case_01" in capsys.readouterr().out


def test_a_case_that_fails_costs_only_itself(dataset, tmp_path, capsys):
    shutil.copytree(dataset / "labelsTr", tmp_path / "p")
    toy.write_nifti(tmp_path / "p" / "case_01.nii.gz", toy.labels_of(1, (5, 6, 7)))

    code = _run("-p", tmp_path / "p", "-d", dataset)

    said = capsys.readouterr()
    assert code == 1
    assert "case_01" in said.err and "shape" in said.err
    assert "1.000" in said.out


def test_an_ignored_value_goes_with_labels_only(dataset, capsys):
    code = _run("-p", dataset / "labelsTr", "-d", dataset, "-il", "3")

    assert code == 2
    assert "--ignore goes with --labels" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["liver"], ["a=x"], ["1", "1"], ["a=1", "a=2"]])
def test_labels_that_make_no_sense_are_refused(words):
    with pytest.raises(UsageError):
        read_labels(words)


def test_scores_do_not_go_among_a_data_set_s_images_by_themselves(dataset, capsys):
    place = dataset / "imagesTs"
    shutil.copytree(dataset / "labelsTr", place)
    before = sorted(place.iterdir())

    assert _run("-d", dataset, "-p", place) == 2

    assert "would lie among the files of a data set" in capsys.readouterr().err
    assert sorted(place.iterdir()) == before
