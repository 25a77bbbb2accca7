"""The command `fingerprint`."""

import pytest

from autoseg.cli.main import main
from autoseg.spec.fingerprint import Fingerprint
from tests import toy


def test_it_writes_the_fingerprint_and_prints_its_main_numbers(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=3)

    code = main(["fingerprint", str(folder), "--root", str(tmp_path / "root")])

    assert code == 0
    made = Fingerprint.load(tmp_path / "root/preprocessed/Toy/fingerprint.json")
    text = capsys.readouterr().out
    assert "Fingerprint of Toy" in text
    assert "12 x 20 x 24 voxels" in text
    assert "2 x 1 x 0.75 mm" in text
    assert f"mean {made.intensities[0].mean:.4g}" in text


def test_several_data_sets_may_be_given_nnunets_way(tmp_path):
    for name in ("Dataset001_A", "Dataset002_B"):
        toy.volumes(tmp_path / "root" / "raw" / name, cases=2, test=0)

    code = main(
        ["fingerprint", "-d", "1", "2", "--root", str(tmp_path / "root"), "-np", "1"]
    )

    assert code == 0
    made = tmp_path / "root" / "preprocessed"
    assert sorted(p.name for p in made.iterdir()) == ["Dataset001_A", "Dataset002_B"]


def test_cases_that_lie_differently_are_mentioned(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=3, axes=("LPS", "RAS", "LPS"))

    main(["fingerprint", str(folder), "--root", str(tmp_path / "root")])

    assert "orientation    LPS (of 2 LPS, 1 RAS)" in capsys.readouterr().out


def test_clean_measures_again(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=2)
    command = ["fingerprint", str(folder), "--root", str(tmp_path / "root")]
    main(command)

    main(command)
    assert "up to date" in capsys.readouterr().err
    main([*command, "--clean"])
    assert "up to date" not in capsys.readouterr().err


def test_verifying_stops_before_any_work_and_names_the_file(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    labels = toy.labels_of(1)
    labels[0, 0, 0] = 9
    toy.write_nifti(folder / "labelsTr" / "case_01.nii.gz", labels)

    code = main(
        [
            "fingerprint",
            str(folder),
            "--root",
            str(tmp_path / "root"),
            "--verify_dataset_integrity",
        ]
    )

    assert code == 2
    error = capsys.readouterr().err
    assert "error: " in error and "case_01.nii.gz" in error
    assert not (tmp_path / "root").exists()


def test_a_data_set_without_problems_is_verified_and_measured(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)

    code = main(
        [
            "fingerprint",
            str(folder),
            "--root",
            str(tmp_path / "root"),
            "--verify-dataset-integrity",
        ]
    )

    assert code == 0
    assert (tmp_path / "root/preprocessed/Toy/fingerprint.json").is_file()


@pytest.mark.parametrize("wrong", [["nothing"], []])
def test_a_missing_data_set_is_exit_code_2(tmp_path, capsys, wrong):
    assert main(["fingerprint", *wrong, "--root", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("autoseg: ")
