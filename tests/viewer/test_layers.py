"""Images, labels and predictions as layers, and back into a data set; no napari."""

import json
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from autoseg.datasets.read import load_dataset
from autoseg.errors import AutosegError, UsageError
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.viewer import layers
from autoseg.viewer.reader import get_reader
from tests import toy
from tests.predict import toy_model

SHAPE = (6, 8, 10)


def as_layer(given):
    data, options, _ = given
    return SimpleNamespace(data=data, **options)


@pytest.fixture
def there(tmp_path):
    dataset = toy.volumes(tmp_path / "Toy", cases=2, test=1, shape=SHAPE)
    file = dataset / "dataset.json"
    raw = json.loads(file.read_text())
    file.write_text(json.dumps({**raw, "colors": {"two": "#FF8000"}, "numTraining": 2}))
    return dataset


def first(folder):
    return sorted(folder.iterdir())[0]


def test_annotations_open_as_labels_with_names_and_colors_of_the_data_set(there):
    path = first(there / "labelsTr")

    ((data, options, kind),) = get_reader(str(path))(path)

    assert kind == "labels"
    assert np.array_equal(data, np.asarray(nibabel.load(path).dataobj).T)
    assert options["scale"] == pytest.approx(toy.SPACING)
    assert options["features"]["name"] == ["background", "one", "two"]
    assert options["colormap"][2] == pytest.approx((1, 128 / 255, 0, 1))
    assert options["colormap"][0][3] == options["colormap"][None][3] == 0


def test_images_open_as_images_and_other_files_not_at_all(there):
    path = first(there / "imagesTr")

    ((data, options, kind),) = get_reader([str(path)])([str(path)])

    assert (kind, data.shape, options["name"]) == ("image", SHAPE, "case_00")
    assert get_reader(str(there / "dataset.json")) is None


def test_a_prediction_lies_on_the_image_and_says_where_it_doubts(there):
    model = toy_model.model(toy_model.plan(spacing=toy.SPACING))
    predictor = Predictor(model, Options(device="cpu", uncertainty=True))
    (image,) = map(as_layer, layers.opened(first(there / "imagesTr")))

    found, doubt = layers.predicted(predictor, [image], uncertainty=True)

    wanted = Predictor(model, Options(device="cpu")).predict(
        image.data, spacing=toy.SPACING
    )
    assert np.array_equal(found[0], wanted)
    assert found[1]["scale"] == doubt[1]["scale"] == image.scale
    assert found[1]["features"]["name"] == ["background", "one", "two"]
    assert doubt[0].shape == SHAPE and 0 < doubt[0].max() <= 1


def test_layers_that_do_not_fit_the_model_are_named(there):
    (image,) = map(as_layer, layers.opened(first(there / "imagesTr")))
    with pytest.raises(UsageError, match="sees 2 channels, and 1 are selected"):
        layers.image_of([image], 2, "mm")


def test_a_layer_that_was_never_a_file_has_its_scale_as_spacing():
    layer = SimpleNamespace(
        data=np.zeros((3, 4)), scale=np.array([1.0, 0.5, 0.25]), metadata={}, name="new"
    )

    image, origin = layers.image_of([layer], 1, "um")

    assert image.array.shape == (1, 3, 4)
    assert image.geometry.spacing == (0.5, 0.25)
    assert (image.geometry.unit, origin.images) == ("um", ())


def test_a_corrected_annotation_replaces_the_one_that_is_there_once_agreed(there):
    path = first(there / "labelsTr")
    (layer,) = map(as_layer, layers.opened(path))
    before, affine = path.read_bytes(), nibabel.load(path).affine
    layer.data[0, 0, 0] = 2

    with pytest.raises(UsageError, match="has an annotation already"):
        layers.kept(layer, str(there), "case_00")
    assert path.read_bytes() == before

    assert layers.kept(layer, str(there), "case_00", replacing=True) == path
    saved = nibabel.load(path)
    assert np.array_equal(np.asarray(saved.dataobj).T, layer.data)
    assert np.allclose(saved.affine, affine)


def test_a_new_case_brings_its_image_along(there):
    image = first(there / "imagesTs")
    (shown,) = map(as_layer, layers.opened(image))
    labels = np.zeros(SHAPE, np.int32)
    labels[2, 3, 4] = 1
    layer = as_layer(
        layers.label_layer(
            labels, shown.metadata["autoseg"].geometry, (image,), "new", {}, {}
        )
    )

    path = layers.kept(layer, str(there), layers.case_of(layer))

    described = load_dataset(there)
    case = described.case("new")
    assert len(described.training) == described.raw["numTraining"] == 3
    assert case.annotation == path
    assert case.images[0].read_bytes() == image.read_bytes()
    assert np.array_equal(np.asarray(nibabel.load(path).dataobj).T, labels)
    assert np.allclose(nibabel.load(path).affine, nibabel.load(image).affine)


def test_a_data_set_that_lists_its_files_gets_one_more_entry(there, tmp_path):
    described = load_dataset(there)
    listed = {
        case.id: {"images": [str(case.images[0])], "label": str(case.annotation)}
        for case in described.training
    }
    other = tmp_path / "Listed"
    other.mkdir()
    raw = {**described.raw, "dataset": listed}
    (other / "dataset.json").write_text(json.dumps(raw))
    image = first(there / "imagesTs")
    (shown,) = map(as_layer, layers.opened(image))
    shown.data = np.ones(SHAPE, np.int32)

    path = layers.kept(shown, str(other), "new")

    case = load_dataset(other).case("new")
    assert case.images == (image,)
    assert case.annotation == path == other / "labelsTr" / "new.nii.gz"


@pytest.mark.parametrize(
    ("value", "shape", "case", "words"),
    [
        (9, SHAPE, "case_00", "9"),
        (1, (6, 8, 9), "case_00", "belongs to another image"),
        (1, SHAPE, "../x", "cannot be a case"),
        (1, SHAPE, "unseen", "Open its image from files"),
    ],
    ids=["value", "shape", "name", "array"],
)
def test_what_does_not_belong_there_is_refused(there, value, shape, case, words):
    layer = SimpleNamespace(data=np.full(shape, value), metadata={}, name="x")
    before = sorted(p.read_bytes() for p in there.rglob("*.*") if p.is_file())

    with pytest.raises(AutosegError, match=words):
        layers.kept(layer, str(there), case, replacing=True)

    assert sorted(p.read_bytes() for p in there.rglob("*.*") if p.is_file()) == before
