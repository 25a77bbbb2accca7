"""The window in a real napari: predict, correct, save. Skipped without napari."""

import json
import os
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.points import read_points
from autoseg.datasets.read import load_dataset
from autoseg.spec.image import Geometry
from autoseg.tasks import choose_task, make_task
from autoseg.viewer.objects import united
from tests import toy
from tests.predict import toy_model

MANIFEST = Path(__file__).parents[2] / "autoseg" / "viewer" / "napari.yaml"
SHAPE = (6, 8, 10)


def test_the_manifest_is_one_that_napari_takes():
    npe2 = pytest.importorskip("npe2")

    manifest = npe2.PluginManifest.from_file(MANIFEST)

    for command in manifest.contributions.commands:
        assert command.python_name
    assert [w.command for w in manifest.contributions.widgets] == ["autoseg.predict"]


@pytest.fixture
def viewer(monkeypatch):
    """A napari that nobody sees; without a display its layers, and no canvas."""
    napari = pytest.importorskip("napari")
    qt = pytest.importorskip("qtpy.QtWidgets")
    if os.environ.get("DISPLAY"):
        made = napari.Viewer(show=False)
        yield made
        made.close()
    else:
        monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
        kept = qt.QApplication.instance() or qt.QApplication([])
        yield napari.components.ViewerModel()
        del kept


def opened_in(viewer):
    """Open the window as napari does from its menu, where there is a display."""
    from autoseg.viewer.widget import Window

    if not os.environ.get("DISPLAY"):
        return Window(viewer)
    npe2 = pytest.importorskip("npe2")
    manager = npe2.PluginManager.instance()
    if "autoseg" not in manager:
        manager.register(npe2.PluginManifest.from_file(MANIFEST))
    title = "Predict, correct and save"
    return viewer.window.add_plugin_dock_widget("autoseg", title)[1].window_of_autoseg


def wait_for(worker):
    from qtpy.QtWidgets import QApplication

    done = []
    worker.finished.connect(lambda: done.append(True))
    until = time.monotonic() + 60
    while not done and time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.01)
    QApplication.processEvents()


@pytest.mark.filterwarnings("default")
def test_an_image_is_predicted_corrected_and_saved(viewer, tmp_path, monkeypatch):
    from autoseg.viewer.reader import get_reader

    dataset = toy.volumes(tmp_path / "Toy", cases=1, test=1, shape=SHAPE)
    model = toy_model.saved(tmp_path / "model", toy_model.plan(spacing=toy.SPACING))
    (image,) = (dataset / "imagesTs").iterdir()
    for data, options, kind in get_reader(str(image))(str(image)):
        getattr(viewer, f"add_{kind}")(data, **options)
    window = opened_in(viewer)
    window.model.setText(str(model))
    window.doubt.setChecked(True)
    window.dataset.setText(str(dataset))

    wait_for(window.predict())
    labels, doubt = viewer.layers[1:]
    assert viewer.layers.selection.active is labels
    assert not doubt.visible
    assert list(labels.features["name"]) == ["background", "one", "two"]
    np.testing.assert_allclose(labels.scale, toy.SPACING)
    labels.data[1, 2, 3] = 2
    window.save()

    case = load_dataset(dataset).case(labels.metadata["autoseg"].case)
    saved = np.asarray(nibabel.load(case.annotation).dataobj).T
    assert np.array_equal(saved, labels.data)
    answers = [False, True]
    monkeypatch.setattr(window, "agrees", lambda case: answers.pop(0))
    labels.data[1, 2, 3] = 1
    window.save()
    assert np.asarray(nibabel.load(case.annotation).dataobj).T[1, 2, 3] == 2
    window.save()
    assert np.asarray(nibabel.load(case.annotation).dataobj).T[1, 2, 3] == 1


@pytest.mark.filterwarnings("default")
def test_landmarks_are_named_moved_and_saved(viewer, tmp_path, monkeypatch):
    from autoseg.viewer.reader import get_reader

    for place in ("imagesTr", "labelsTr"):
        (tmp_path / place).mkdir()
    raw = {"channel_names": {"0": "CT"}, "landmarks": ["tip", "root"]}
    raw |= {"task": "landmark", "file_ending": ".nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(raw))
    image = nibabel.Nifti1Image(np.zeros(SHAPE[::-1], np.float32), np.eye(4))
    nibabel.save(image, tmp_path / "imagesTr" / "a_0000.nii.gz")
    path = tmp_path / "labelsTr" / "a.json"
    path.write_text('{"coordinate_system": "voxel_xyz", "points": {"tip": [1, 2, 3]}}')
    for data, options, kind in get_reader(str(path))(str(path)):
        layer = getattr(viewer, f"add_{kind}")(data, **options)
    window = opened_in(viewer)
    monkeypatch.setattr(window, "agrees", lambda case: True)
    window.dataset.setText(str(tmp_path))
    viewer.layers.selection.active = layer
    assert list(layer.features["landmark"]) == ["tip"]

    layer.add([4, 5, 6])
    layer.selected_data = {1}
    window.landmark.setEditText("root")
    window.landmark.textActivated.emit("root")
    assert list(layer.features["landmark"]) == ["tip", "root"]
    window.save()

    saved, _ = read_points(path, load_dataset(tmp_path), None, "a")
    assert saved.names == ("tip", "root")
    assert saved.coordinates.tolist() == [[3, 2, 1], [4, 5, 6]]


@pytest.mark.filterwarnings("default")
def test_objects_that_overlap_are_saved_from_all_their_layers(viewer, tmp_path):
    from autoseg.viewer.layers import object_layers

    rods = np.zeros((2, 7, 9), np.int32)
    rods[0, 3, 1:8], rods[1, 1:6, 4] = 1, 2
    for place in ("imagesTr", "labelsTr"):
        (tmp_path / place).mkdir()
    raw = {"channel_names": {"0": "light"}, "labels": {"background": 0, "rod": 1}}
    raw |= {"task": "instance", "file_ending": ".tif"}
    (tmp_path / "dataset.json").write_text(json.dumps(raw))
    image = tmp_path / "imagesTr" / "a_0000.tif"
    tifffile.imwrite(image, np.zeros((7, 9), np.uint8))
    about = (Geometry(shape=(7, 9), spacing=(1.0, 1.0)), (image,), "a")
    window = opened_in(viewer)
    window.show_layers(object_layers(united(rods), *about))
    window.dataset.setText(str(tmp_path))

    window.save()

    dataset = load_dataset(tmp_path)
    path = tmp_path / "labelsTr" / "a.tif"
    task = make_task(choose_task(dataset))
    again, _ = read_annotation(path, dataset, task, case_id="a")
    assert {i: int(again.mask_of(i).inside.sum()) for i in again.ids} == {1: 7, 2: 5}
