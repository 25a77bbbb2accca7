"""A BIDS data set is a data set, and predictions are derivatives of it.

Names and places are those of the specification (bids-specification.readthedocs.io).
"""

import json
import shutil

import nibabel
import numpy as np
import pytest

import autoseg
from autoseg.cli._next import advice
from autoseg.cli.next import _where
from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.layouts.names import is_bids, parse
from autoseg.datasets.read import load_dataset, open_dataset
from autoseg.describing.stage import init
from autoseg.errors import DatasetError, UsageError
from autoseg.fingerprint.check.stage import examine
from autoseg.predict.stage import predict
from autoseg.tasks import choose_task, make_task
from tests.predict import toy_model as toy

LABELS = np.random.default_rng(0).integers(0, 3, (9, 8, 10)).astype(np.uint8)
TABLE = "index\tname\tcolor\n0\tbackground\tn/a\n1\tone\t#FF0000\n2\ttwo\tn/a\n"


def _save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)


@pytest.fixture
def folder(tmp_path):
    """Return a data set with two visits of one subject, and one of another."""
    root = tmp_path / "study"
    for case in ("sub-01/ses-a", "sub-01/ses-b", "sub-02"):
        name = case.replace("/", "_")
        for suffix in ("T1w", "T2w"):
            _save(root / case / "anat" / f"{name}_{suffix}.nii.gz", 100 * LABELS)
        _save(
            root / f"derivatives/manual/{case}/anat/{name}_desc-x_dseg.nii.gz", LABELS
        )
    description = {"Name": "n", "BIDSVersion": "1.10.0"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "derivatives/manual/dseg.tsv").write_text(TABLE)
    return root


def test_images_and_derivatives_are_cases_with_names_and_groups(folder, tmp_path):
    dataset, workspace = open_dataset(folder, tmp_path / "root")

    assert [case.id for case in dataset.training] == [
        "sub-01_ses-a",
        "sub-01_ses-b",
        "sub-02",
    ]
    assert [case.group for case in dataset.training] == ["sub-01", "sub-01", "sub-02"]
    assert dataset.channel_names == ("T1w", "T2w")
    assert dataset.raw["labels"] == {"background": 0, "one": 1, "two": 2}
    assert dataset.raw["colors"] == {"one": "#FF0000"}
    case = dataset.training[0]
    found, _ = read_annotation(
        case.annotation, dataset, make_task(choose_task(dataset)), case_id=case.id
    )
    np.testing.assert_array_equal(found.T, LABELS)
    assert workspace.dataset == "study"
    assert not [p for p in examine(folder, 1).problems if p.severity == "error"]
    assert not (folder / "dataset.json").exists()


def test_it_is_prepared_as_it_is_and_found_by_its_name(folder, tmp_path):
    root = tmp_path / "root"
    (root / "raw").mkdir(parents=True)
    folder.rename(root / "raw" / "study")

    autoseg.plan_and_preprocess("study", root)

    place = root / "preprocessed" / "study"
    prepared = {path.stem for path in place.glob("2d_*/*.json")}
    assert prepared == {"sub-01_ses-a", "sub-01_ses-b", "sub-02"}
    described = json.loads((place / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "one": 1, "two": 2}
    assert not (root / "raw" / "study" / "dataset.json").exists()


def test_a_bare_autoseg_and_next_say_where_it_goes_on(folder, tmp_path):
    assert "autoseg run ." in advice(folder)
    assert "annotations in" in _where(folder) and "derivatives" in _where(folder)
    (tmp_path / "dataset.json").write_text('{"dataset": {}}')
    assert "in `dataset` of" in _where(tmp_path)


def test_dataset_json_says_what_is_meant_where_there_are_several(folder):
    other = folder / "derivatives/auto/sub-02/anat/sub-02_dseg.nii.gz"
    _save(other, LABELS)

    with pytest.raises(DatasetError, match='several annotations.*"auto"'):
        load_dataset(folder)
    said = {"bids": {"derivatives": "manual", "suffixes": ["T2w"]}}
    (folder / "dataset.json").write_text(json.dumps(said))
    dataset = load_dataset(folder)

    assert dataset.channel_names == ("T2w",)
    assert dataset.training[0].images[0].name == "sub-01_ses-a_T2w.nii.gz"


def test_without_a_table_it_is_said_that_values_have_no_names(folder):
    (folder / "derivatives/manual/dseg.tsv").unlink()

    with pytest.raises(DatasetError, match=r"no dseg.tsv.*`labels`"):
        load_dataset(folder)


def test_a_dataset_json_may_name_the_values(folder):
    (folder / "derivatives/manual/dseg.tsv").unlink()
    labels = {"background": 0, "a": 1, "b": 2}
    (folder / "dataset.json").write_text(json.dumps({"bids": {}, "labels": labels}))

    dataset = load_dataset(folder)

    assert dataset.raw["labels"] == labels and len(dataset.training) == 3


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1\ttwo\tn/a\n2\tone\tn/a\n", "say differently which value is what"),
        ("1\tone\tn/a\n2\tone\tn/a\n", "gives the name 'one' to several values"),
    ],
    ids=["exchanged", "twice"],
)
def test_tables_that_contradict_are_refused(folder, rows, said):
    own = [folder / "derivatives/manual/sub-02/anat/sub-02_dseg.tsv"]
    if "several values" in said:
        own = [folder / "derivatives/manual/dseg.tsv"]
    for table in own:
        table.write_text("index\tname\tcolor\n" + rows)

    with pytest.raises(DatasetError, match=said):
        load_dataset(folder)
    own[0].write_text(TABLE)  # as above it
    assert load_dataset(folder).raw["labels"] == {"background": 0, "one": 1, "two": 2}


def test_what_may_be_meant_is_named_where_there_is_no_annotation(folder):
    for path in (folder / "derivatives").rglob("*_dseg.nii.gz"):
        path.rename(path.with_name(path.name.replace("_dseg", "_mask")))

    with pytest.raises(DatasetError, match=r'"annotations": "mask"'):
        load_dataset(folder)


def test_an_image_without_annotation_is_noted(folder):
    (folder / "derivatives/manual/sub-02/anat/sub-02_desc-x_dseg.nii.gz").unlink()

    (note,) = [p for p in examine(folder, 1).problems if "no annotation" in p.found]

    assert (note.severity, note.found[:37]) == (
        "note",
        "1 case with images and no annotation:",
    )
    assert "sub-02" in note.found


def test_init_says_that_it_is_a_data_set_already(folder):
    with pytest.raises(UsageError, match="needs no dataset.json. `autoseg check"):
        init(folder)
    (folder / "derivatives/manual/dseg.tsv").unlink()
    with pytest.raises(UsageError, match=r'no dseg.tsv.*"bids": {}, "labels"'):
        init(folder)
    assert not (folder / "dataset.json").exists()


def test_predictions_are_derivatives_beside_their_subjects(folder):
    out = folder / "derivatives" / "autoseg"
    predictor = toy.knowing(toy.plan())

    with pytest.raises(UsageError, match="T1w, T2w.*--series T1w"):
        predict(predictor, folder, out, output_type=["bids"])
    predict(predictor, folder, out, series=["T2w"], output_type=["bids"])

    file = out / "sub-01/ses-b/anat/sub-01_ses-b_desc-autoseg_dseg.nii.gz"
    np.testing.assert_array_equal(nibabel.load(file).dataobj, LABELS)
    assert (out / "sub-02/anat/sub-02_desc-autoseg_dseg.nii.gz").is_file()
    rows = (out / "desc-autoseg_dseg.tsv").read_text().splitlines()
    assert [row.split("\t")[:2] for row in rows] == [
        ["index", "name"],
        ["1", "one"],
        ["2", "two"],
    ]
    said = json.loads((out / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative"
    assert said["GeneratedBy"][0]["Name"].startswith("autoseg")

    # They are no annotations: of the data set as it is, and if nobody drew any.
    annotations = {
        case.annotation.parents[3].name for case in load_dataset(folder).training
    }
    assert annotations <= {"manual", "derivatives"}
    shutil.rmtree(folder / "derivatives/manual")
    with pytest.raises(DatasetError, match=r'Predictions of autoseg.*"autoseg"'):
        load_dataset(folder)
    (folder / "dataset.json").write_text('{"bids": {"derivatives": "autoseg"}}')
    assert len(load_dataset(folder).training) == 3


def test_a_subject_that_lacks_a_channel_is_left_out_and_named(folder, tmp_path, caplog):
    (folder / "sub-02/anat/sub-02_T2w.nii.gz").unlink()

    files = predict(toy.knowing(toy.plan()), folder, tmp_path / "out", series=["T2w"])

    assert [file.name[:12] for file in files] == ["sub-01_ses-a", "sub-01_ses-b"]
    assert "1 case left out" in caplog.text and "sub-02" in caplog.text


def test_names_are_understood():
    name = parse("sub-01_ses-2_run-1_space-T1w_desc-x_dseg.nii.gz")

    assert (name.case, name.suffix) == ("sub-01_ses-2_run-1", "dseg")
    assert parse("case_0000.nii.gz") is None
    assert parse("sub-01_broken_T1w.nii.gz") is None


def test_an_ordinary_folder_is_none(tmp_path):
    (tmp_path / "imagesTr").mkdir()

    assert not is_bids(tmp_path)
