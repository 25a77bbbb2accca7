"""Of a label map, voxels that are probable enough are taught."""

from types import SimpleNamespace

import blosc2
import numpy as np
import pytest
from nibabel import load as load_nifti

from autoseg.predict.job import Job
from autoseg.spec.dataset import Case
from autoseg.tasks.semantic import SemanticTask
from autoseg.train.teach.kinds.labels import TeachLabels
from tests import toy


def _taught(tmp_path, raw, labels, outputs, **task):
    """Return what is written for a prediction (1, 1, X) with outputs (K, X)."""
    out = tmp_path / "predicted" / "scan.nii.gz"
    toy.write_nifti(out, np.array([[labels]], np.uint8))
    said = np.array(outputs, np.uint8)[:, None, None]
    blosc2.asarray(said, urlpath=str(out.with_name("scan_probabilities.b2nd")))
    dataset = SimpleNamespace(raw=raw, spacing=None, unit=None)
    kind = TeachLabels(SemanticTask(**raw, **task), dataset, sure=0.8)
    job = Job(case=Case(id="scan", images=()), output=out)
    (tmp_path / "labels").mkdir()
    found = kind.annotate(job, tmp_path / "labels")
    if found is None:
        assert list((tmp_path / "labels").iterdir()) == []
        return kind, None, None
    written = np.asarray(load_nifti(found[0]).dataobj).ravel().tolist()
    return kind, written, found[1]


def test_a_voxel_whose_label_is_not_probable_enough_is_ignored(tmp_path):
    raw = {"labels": {"background": 0, "one": 7, "two": 3}}
    # Inside, 3 is 1 and 7 is 2. Of the last voxel another class is probable.
    outputs = [[204, 10, 90, 0, 0], [51, 40, 90, 250, 250], [0, 205, 75, 5, 5]]

    kind, written, share = _taught(tmp_path, raw, [0, 7, 3, 3, 7], outputs)

    assert written == [0, 7, 8, 3, 8]
    assert share == pytest.approx(3 / 5)
    assert kind.described(raw)["labels"] == {**raw["labels"], "ignore": 8}


def test_of_regions_all_have_to_be_sure(tmp_path):
    raw = {
        "labels": {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3},
        "regions_class_order": [1, 2],
    }
    task = {key: value for key, value in raw.items() if key != "labels"}
    labels = {k: v for k, v in raw["labels"].items() if k != "ignore"}
    tmp = tmp_path / "a"
    outputs = [[10, 250, 250, 240], [5, 120, 220, 30]]
    out = tmp / "predicted" / "scan.nii.gz"
    toy.write_nifti(out, np.array([[[0, 1, 2, 1]]], np.uint8))
    said = np.array(outputs, np.uint8)[:, None, None]
    blosc2.asarray(said, urlpath=str(out.with_name("scan_probabilities.b2nd")))
    dataset = SimpleNamespace(raw=raw, spacing=None, unit=None)
    kind = TeachLabels(SemanticTask(labels=labels, ignore=3, **task), dataset, 0.8)
    (tmp / "labels").mkdir()

    job = Job(case=Case(id="scan", images=()), output=out)
    path, share = kind.annotate(job, tmp / "labels")

    # Of the second voxel, core has 120 of 255.
    assert np.asarray(load_nifti(path).dataobj).ravel().tolist() == [0, 3, 2, 1]
    assert share == 0.75


def test_a_case_without_any_sure_foreground_teaches_nothing(tmp_path):
    raw = {"labels": {"background": 0, "one": 1}}

    _, written, _ = _taught(tmp_path, raw, [0, 1], [[255, 120], [0, 135]])

    assert written is None
