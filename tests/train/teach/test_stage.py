"""A data set with what a model is sure of, beside the annotated cases."""

import json
import logging
import re
import shutil
from dataclasses import replace

import blosc2
import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
from autoseg.errors import UsageError
from autoseg.formats.base import find_format
from autoseg.spec.choice import Choice
from autoseg.spec.plan import Channel
from autoseg.train.teach import stage
from autoseg.train.teach.stage import teach
from tests import toy
from tests.predict import toy_model

SHAPE = (4, 6, 6)


@pytest.fixture
def space(tmp_path, monkeypatch):
    """Return folders; the model says the truth, of the last case with no certainty."""
    folder = toy.volumes(tmp_path / "Few", cases=3, test=0, shape=SHAPE)
    more = toy.volumes(tmp_path / "More", cases=5, test=0, shape=SHAPE) / "imagesTr"
    model = toy_model.saved(tmp_path / "made", toy_model.plan(patch=8))
    asked = []

    def predict(teacher, images, output, *, save_probabilities, **options):
        assert save_probabilities and options["continue_prediction"]
        for (path,) in images:
            case = path.name.removesuffix(".nii.gz").removesuffix("_0000")
            asked.append(case)
            truth = toy.labels_of(int(re.search("[0-9]+", case)[0]), SHAPE)
            toy.write_nifti(output / f"{case}.nii.gz", truth)
            share = 0.5 if case == "case_04" else 0.98
            said = [np.where(truth == k, share, (1 - share) / 2) for k in range(3)]
            blosc2.asarray(
                np.rint(255 * np.stack(said)).astype(np.uint8),
                urlpath=str(output / f"{case}_probabilities.b2nd"),
            )

    monkeypatch.setattr(stage, "predict", predict)
    return folder, more, model, tmp_path, asked


def test_new_cases_train_in_each_fold_and_annotated_ones_are_held_out(
    space, monkeypatch
):
    folder, images, model, tmp_path, asked = space
    splits = [{"train": ["case_00", "case_01"], "val": ["case_02"]}]
    (folder / "splits_final.json").write_text(json.dumps(splits))

    monkeypatch.chdir(tmp_path)
    relative = images.relative_to(tmp_path)
    out = teach(folder, relative, model, "new", tmp_path, sure=0.9)

    assert asked == ["case_03", "case_04"]  # the others are annotated
    found = load_dataset(out)
    assert [case.id for case in found.training] == [f"case_0{i}" for i in range(4)]
    assert found.case("case_00").annotation == folder / "labelsTr" / "case_00.nii.gz"
    assert found.case("case_03").annotation == out / "labelsTr" / "case_03.nii.gz"
    assert found.case("case_03").images == (images / "case_03_0000.nii.gz",)
    assert found.splits == ((("case_00", "case_01", "case_03"), ("case_02",)),)
    assert found.raw["labels"]["ignore"] == 3
    assert sorted(p.name for p in out.iterdir()) == ["dataset.json", "labelsTr"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Few", "More", "made", "new"]


def _as_bids(folder, cases):
    """Return a BIDS data set of toy volumes, the first of which are annotated."""
    for number in range(cases):
        name = f"sub-{number:02}"
        place = folder / name / "anat"
        place.mkdir(parents=True)
        toy.write_nifti(place / f"{name}_one.nii.gz", toy.labels_of(number, SHAPE))
        if number < 3:
            place = folder / "derivatives/manual" / name / "anat"
            place.mkdir(parents=True)
            truth = toy.labels_of(number, SHAPE)
            toy.write_nifti(place / f"{name}_dseg.nii.gz", truth)
    return folder


@pytest.mark.parametrize("of_bids", [True, False])
def test_images_of_a_bids_data_set_are_taught(space, of_bids):
    folder, _, _, tmp_path, asked = space
    study = _as_bids(tmp_path / "study", 5)
    one = Channel(name="one", normalizer=Choice(name="none"))
    plan = replace(toy_model.plan(patch=8), channels=(one,))
    model = toy_model.saved(tmp_path / "named", plan)
    if of_bids:
        labels = {"background": 0, "one": 1, "two": 2}
        said = {"bids": {"suffixes": ["one"]}, "labels": labels}
        (study / "dataset.json").write_text(json.dumps(said))
        folder = study

    out = teach(folder, study, model, tmp_path / "new", tmp_path)

    found = load_dataset(out)
    new = [case for case in found.training if case.annotation.parent.parent == out]
    count = 2 if of_bids else 5  # three of its own are annotated
    assert len(asked) == len(new) == count
    assert len(found.training) == 3 + count
    for case in new:
        assert case.images[0].is_relative_to(study)
        number = int(case.id[4:6])
        taught, _ = find_format(case.annotation).read_labels(case.annotation)
        truth = toy.labels_of(number, SHAPE)
        assert case.images[0].name == f"sub-{number:02}_one.nii.gz"
        assert np.array_equal(taught, truth)


def _sessions(study):
    """Let each subject of `_as_bids` have a session that nobody annotated."""
    labels = {"background": 0, "one": 1, "two": 2}
    said = {"bids": {"suffixes": ["one"]}, "labels": labels}
    (study / "dataset.json").write_text(json.dumps(said))
    for number in range(3):
        name = f"sub-{number:02}"
        place = study / name / "ses-2" / "anat"
        place.mkdir(parents=True)
        image = toy.labels_of(number, SHAPE)
        toy.write_nifti(place / f"{name}_ses-2_one.nii.gz", image)


def test_no_fold_learns_from_another_session_of_a_subject_that_it_holds_out(
    space, caplog
):
    _, _, _, tmp_path, _ = space
    study = _as_bids(tmp_path / "study", 5)
    _sessions(study)
    one = Channel(name="one", normalizer=Choice(name="none"))
    plan = replace(toy_model.plan(patch=8), channels=(one,))
    model = toy_model.saved(tmp_path / "named", plan)
    caplog.set_level(logging.INFO, logger="autoseg")

    found = load_dataset(teach(study, study, model, tmp_path / "new", tmp_path))

    annotated = {"sub-00", "sub-01", "sub-02"}
    sessions = {f"{subject}_ses-2_one" for subject in annotated}
    assert sessions < {case.id for case in found.training}
    assert {c.id: c.group for c in found.training} == {
        **{subject: subject for subject in annotated},
        **{f"{subject}_ses-2_one": subject for subject in annotated},
        **{f"{subject}_one": subject for subject in ("sub-03", "sub-04")},
    }
    assert len(found.splits) == 3
    for train, val in found.splits:
        (held,) = val
        assert sessions - {*train} == {f"{held}_ses-2_one"}
        assert {"sub-03_one", "sub-04_one"} < {*train}
    assert "3 taught cases of the group (patient) of annotated ones" in caplog.text


def test_a_rule_for_groups_holds_for_what_is_taught(space):
    folder, images, model, tmp_path, _ = space
    raw = json.loads((folder / "dataset.json").read_text())
    raw["groups"] = "case_0([012])"
    (folder / "dataset.json").write_text(json.dumps(raw))
    for name in ("case_03_0000.nii.gz", "case_04_0000.nii.gz"):
        (images / name).unlink()
    for number in (0, 2):
        toy.write_nifti(images / f"case_0{number}b_0000.nii.gz", np.ones(SHAPE))

    found = load_dataset(teach(folder, images, model, tmp_path / "new", tmp_path))

    for train, val in found.splits:
        (held,) = val
        wanted = {"case_00b", "case_02b"} - {f"{held}b"}
        assert {case for case in train if case.endswith("b")} == wanted


def test_a_bids_data_set_of_other_channels_is_refused_with_what_to_do(space):
    folder, _, model, tmp_path, _ = space
    study = _as_bids(tmp_path / "study", 3)

    with pytest.raises(UsageError, match="with one, and .* channel 0.* CASE_0000"):
        teach(folder, study, model, tmp_path / "new", tmp_path)


def test_predictions_are_kept_for_another_try_and_not_those_of_another_model(space):
    folder, images, model, tmp_path, asked = space
    work = tmp_path / "new.partial"

    with pytest.raises(UsageError, match="sure of nothing"):
        teach(folder, images, model, tmp_path / "new", tmp_path, sure=1.0)
    assert (work / "predicted" / "case_03.nii.gz").is_file()
    (work / "predicted" / "case_03.nii.gz").write_text("old")
    out = teach(folder, images, other_model(tmp_path), tmp_path / "new", tmp_path)

    assert (out / "labelsTr" / "case_03.nii.gz").stat().st_size > 100
    assert not work.exists() and asked == ["case_03", "case_04"] * 2


def other_model(tmp_path):
    return toy_model.saved(tmp_path / "other", toy_model.plan(patch=8), seed=1)


def test_what_cannot_be_is_said(space):
    folder, images, model, tmp_path, _ = space
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()

    with pytest.raises(UsageError, match="nothing is overwritten"):
        teach(folder, images, model, tmp_path / "mine", tmp_path)
    with pytest.raises(UsageError, match="not a case of Few already"):
        teach(folder, folder / "imagesTr", model, tmp_path / "new", tmp_path)
    with pytest.raises(UsageError, match="sure is 2"):
        teach(folder, images, model, tmp_path / "new", tmp_path, sure=2)
    other = toy.volumes(
        tmp_path / "Other", 2, 0, SHAPE, labels={"background": 0, "three": 1}
    )
    with pytest.raises(UsageError, match=r"finds one, two, and Other has three"):
        teach(other, images, model, tmp_path / "new", tmp_path)


def test_typed_again_it_says_what_is_there(space, caplog):
    folder, images, model, tmp_path, asked = space
    given = folder, images, model, tmp_path / "new", tmp_path
    caplog.set_level(logging.INFO, logger="autoseg")
    with pytest.raises(UsageError, match="sure of nothing"):
        teach(*given, sure=1.0)
    shutil.rmtree(tmp_path / "new.partial" / "predicted")

    out = teach(*given)
    assert "Going on in" in caplog.text and len(asked) == 4
    assert teach(*given) == out and len(asked) == 4
    assert "new is finished already" in caplog.text
    with pytest.raises(UsageError, match="finished, but was taught with other --sure;"):
        teach(*given, sure=0.8)
    with pytest.raises(UsageError, match="other model;"):
        teach(folder, images, other_model(tmp_path), *given[3:])
    toy.write_nifti(images / "case_04_0000.nii.gz", np.ones(SHAPE))
    with pytest.raises(UsageError, match="other images;"):
        teach(*given)
