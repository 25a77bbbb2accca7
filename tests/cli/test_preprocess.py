"""The command `preprocess`."""

import pytest

import autoseg
from autoseg.cli.main import main
from autoseg.preprocess.store import CaseStore
from autoseg.spec.plan import Plan
from tests import toy


@pytest.fixture
def planned(tmp_path):
    """A data set that was planned: (folder, root)."""
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0, spacing=(1.0, 1.0, 1.0))
    autoseg.fingerprint(folder, tmp_path / "root")
    autoseg.plan(folder, tmp_path / "root")
    return folder, tmp_path / "root"


def _stored(root, configuration):
    prepared = root / "preprocessed" / "Toy"
    plan = Plan.load(prepared / "plans" / "unet.json")
    return CaseStore(prepared / plan.data_id(configuration)).ids()


def test_it_prepares_all_configurations_of_the_plan(planned):
    folder, root = planned

    assert main(["preprocess", str(folder), "--root", str(root)]) == 0

    for configuration in ("2d", "3d_fullres"):
        assert _stored(root, configuration) == ("case_00", "case_01", "case_02")


def test_it_prepares_what_is_chosen_and_one_machines_share(planned):
    folder, root = planned

    code = main(
        [
            *("preprocess", "-d", str(folder), "--root", str(root), "-np", "1"),
            *("-c", "3d_fullres", "-num_parts", "2", "-part_id", "1"),
        ]
    )

    assert code == 0
    assert _stored(root, "3d_fullres") == ("case_01",)
    assert _stored(root, "2d") == ()


def test_the_precision_can_be_chosen(planned):
    folder, root = planned

    main(
        [
            *("preprocess", str(folder), "--root", str(root)),
            *("-c", "3d_fullres", "--precision", "float32"),
        ]
    )

    prepared = root / "preprocessed" / "Toy"
    plan = Plan.load(prepared / "plans" / "unet.json")
    case = CaseStore(prepared / plan.data_id("3d_fullres")).open("case_00")
    assert case.image.dtype == "float32"


def test_a_failing_case_is_exit_code_1_and_named(planned, capsys):
    folder, root = planned
    (folder / "imagesTr" / "case_01_0000.nii.gz").write_bytes(b"nonsense")

    assert main(["preprocess", str(folder), "--root", str(root)]) == 1

    assert "1 of 3 cases failed" in capsys.readouterr().err
    assert _stored(root, "3d_fullres") == ("case_00", "case_02")


def test_without_a_plan_it_is_said_how_to_make_one(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=2)

    assert main(["preprocess", str(folder), "--root", str(tmp_path / "root")]) == 2
    assert "autoseg plan" in capsys.readouterr().err
