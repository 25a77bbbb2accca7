"""`autoseg next` ranks, drafts, and leaves alone what somebody corrected."""

import json
import shutil

import nibabel
import numpy as np
import pytest

from autoseg.cli.main import main
from tests import toy
from tests.predict import toy_model

SHAPE = (8, 8, 8)


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A data set of two cases, four images, one of them annotated, and a model."""
    work = tmp_path_factory.mktemp("next")
    dataset = toy.volumes(work / "Toy", cases=2, test=0, shape=SHAPE)
    new = toy.volumes(work / "other", cases=4, test=0, shape=SHAPE) / "imagesTr"
    first, *others = sorted(new.iterdir())
    image = nibabel.load(others[0])
    bright = nibabel.Nifti1Image(np.asarray(image.dataobj) * 50, image.affine)
    nibabel.save(bright, others[0])
    shutil.rmtree(work / "other" / "labelsTr")
    first.unlink()
    first.symlink_to(sorted((dataset / "imagesTr").iterdir())[0])
    plan = toy_model.plan(spacing=toy.SPACING)
    return dataset, new, toy_model.saved(work, plan), others[0].name.split("_0000")[0]


def run(there, out, *more):
    dataset, images, model, _ = there
    words = ["next", dataset, images, "-o", out, "-m", model, "--device", "cpu", *more]
    return main([str(word) for word in words])


def test_images_are_ranked_with_links_and_drafts(there, tmp_path, capsys):
    assert run(there, tmp_path / "out", "--take", "1", "--json") == 0

    said = json.loads(capsys.readouterr().out)
    rows = json.loads((tmp_path / "out" / "next.json").read_text())["images"]
    assert [row["case"] for row in rows] == [one["case"] for one in said]
    assert len(rows) == 3  # the fourth is annotated already
    assert rows[0]["case"] == there[3]  # the bright one, 50 times as bright
    assert "unlike training" in rows[0]["because"]
    assert [row["taken"] for row in rows] == [True, False, False]
    (link,) = (tmp_path / "out" / "images").iterdir()
    assert str(link.resolve()) == rows[0]["images"][0]
    for row in rows:
        draft = nibabel.load(tmp_path / "out" / row["draft"])
        assert draft.shape == SHAPE[::-1]


def test_images_that_are_all_annotated_are_refused_before_any_is_predicted(
    there, tmp_path, capsys
):
    dataset, _, model, _ = there
    everything = (dataset, dataset / "imagesTr", model, "")

    assert run(everything, tmp_path / "out") == 2
    assert "annotated in the data set already" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_corrected_draft_is_not_replaced(there, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(there, out) == 0
    table = capsys.readouterr().out
    draft = out / json.loads((out / "next.json").read_text())["images"][0]["draft"]
    draft.write_bytes(b"corrected")

    assert run(there, out) == 2

    assert "quality" in table and "unlike training" in table
    assert max(map(len, table.splitlines()[:4])) <= 80
    assert draft.read_bytes() == b"corrected"
    said = capsys.readouterr().err
    assert f"{draft}: corrected" in said and "another folder" in said


@pytest.mark.parametrize(
    "place", ["images", "around", "dataset", "annotations", "another"]
)
def test_nothing_is_written_among_the_users_files(there, tmp_path, capsys, place):
    dataset, given, model, _ = there
    images = tmp_path / "images"
    shutil.copytree(given, images)
    places = {"images": images, "around": tmp_path, "dataset": dataset}
    out = places.get(place, dataset / "labelsTr")
    if place == "another":
        out = shutil.copytree(dataset, tmp_path / "other") / "imagesTr"
    before = sorted(out.rglob("*"))

    assert run((dataset, images, model, ""), out) == 2

    assert "Give another folder (-o)" in capsys.readouterr().err
    assert sorted(out.rglob("*")) == before
