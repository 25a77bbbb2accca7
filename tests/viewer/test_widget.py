"""The window in a real napari: predict, correct, save. Skipped without napari."""

import os
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
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
