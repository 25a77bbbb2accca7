"""Images, labels and predictions as layers, and back into a data set; no napari."""

import json
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import tifffile

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.points import read_points
from autoseg.datasets.read import load_dataset
from autoseg.errors import AutosegError, UsageError
from autoseg.instancefiles.overlaps import write_overlaps
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks import choose_task, make_task
from autoseg.viewer import layers
from autoseg.viewer.objects import point_layer
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


# Landmarks.

NAMES = ["tip", "root", "gone"]


@pytest.fixture
def marked(tmp_path):
    """A data set of landmarks: two volumes, each with a file of points."""
    folder = tmp_path / "Marked"
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True)
    raw = {"channel_names": {"0": "CT"}, "landmarks": NAMES, "task": "landmark"}
    raw |= {"file_ending": ".nii.gz", "colors": {"root": "#FF8000"}}
    (folder / "dataset.json").write_text(json.dumps(raw))
    affine = np.diag([-0.5, -0.5, 2.0, 1.0])  # of RAS: x and y run as in LPS
    for case in ("a", "b"):
        image = nibabel.Nifti1Image(np.zeros(SHAPE[::-1], np.float32), affine)
        nibabel.save(image, folder / "imagesTr" / f"{case}_0000.nii.gz")
        points = {"tip": [1, 2.5, 3], "root": [4, 5, 0], "gone": None}
        file = {"coordinate_system": "voxel_xyz", "points": points}
        (folder / "labelsTr" / f"{case}.json").write_text(json.dumps(file))
    return folder


def test_points_open_with_names_and_colors_on_their_image(marked):
    path = marked / "labelsTr" / "a.json"

    ((data, options, kind),) = get_reader(str(path))(path)

    assert kind == "points"
    assert data.tolist() == [[3, 2.5, 1], [0, 5, 4]]  # slowest axis first
    assert options["scale"] == (2.0, 0.5, 0.5)
    assert options["features"]["landmark"].tolist() == ["tip", "root"]
    assert options["face_color"][1] == pytest.approx((1, 128 / 255, 0, 1))
    assert options["metadata"]["autoseg"].case == "a"


def test_moved_points_are_saved_where_they_are(marked):
    path = marked / "labelsTr" / "a.json"
    (layer,) = map(as_layer, layers.opened(path))
    layer.data[0] = [1, 0.5, 6]
    layer.data, layer.features = layer.data[:1], {"landmark": ["gone"]}

    with pytest.raises(UsageError, match="has an annotation already"):
        layers.kept(layer, str(marked), "a")
    assert layers.kept(layer, str(marked), "a", replacing=True) == path

    found, _ = read_points(path, load_dataset(marked), None, "a")
    assert found.names == tuple(NAMES)
    assert found.present.tolist() == [False, False, True]
    assert found.coordinates[2].tolist() == [1, 0.5, 6]


def test_a_new_case_of_points_brings_its_image_along(marked, tmp_path):
    image = tmp_path / "c_0000.nii.gz"
    image.write_bytes((marked / "imagesTr" / "a_0000.nii.gz").read_bytes())
    (shown,) = map(as_layer, layers.opened(image))
    points = Points(("tip",), np.array([[1.0, 2.0, 3.0]]), [PRESENT])
    given = point_layer(points, shown.metadata["autoseg"].geometry, (image,), "c", {})

    path = layers.kept(as_layer(given), str(marked), "c")

    assert path == marked / "labelsTr" / "c.json"
    assert load_dataset(marked).case("c").images[0].read_bytes() == image.read_bytes()


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"landmark": ["tip", "tip"]}, "several points called tip"),
        ({"landmark": ["tip", ""]}, "Not every point"),
        ({"landmark": ["tip", None]}, "Not every point"),
        ({"landmark": ["tip", "top"]}, "no landmark top; it has tip, root, gone"),
    ],
    ids=["twice", "nameless", "added", "unknown"],
)
def test_points_without_a_clear_name_are_not_saved(marked, features, words):
    path = marked / "labelsTr" / "a.json"
    (layer,), before = map(as_layer, layers.opened(path)), path.read_bytes()
    layer.features = features

    with pytest.raises(AutosegError, match=words):
        layers.kept(layer, str(marked), "a", replacing=True)
    assert path.read_bytes() == before


def test_points_do_not_replace_a_file_of_many_cases_or_label_maps(marked, there):
    (layer,) = map(as_layer, layers.opened(marked / "labelsTr" / "a.json"))
    for case in "ab":
        (marked / "labelsTr" / f"{case}.json").unlink()
    rows = "case,landmark,x,y,z\na,tip,1,2,3\nb,tip,1,2,3\n"
    (marked / "labelsTr" / "points.csv").write_text(rows)

    with pytest.raises(UsageError, match="points of 2 cases"):
        layers.kept(layer, str(marked), "a", replacing=True)
    with pytest.raises(UsageError, match="areas or objects; points mean nothing"):
        layers.kept(layer, str(there), "case_00", replacing=True)


def test_predicted_landmarks_are_points(marked):
    points = Points(tuple(NAMES), np.eye(3), [PRESENT, PRESENT, ABSENT])
    predictor = SimpleNamespace(
        model=toy_model.model(toy_model.plan()),
        task=None,
        predict_image=lambda image, doubt: points,
    )
    path = marked / "imagesTr" / "a_0000.nii.gz"
    (image,) = map(as_layer, layers.opened(path))

    ((data, options, kind),) = layers.predicted(predictor, [image])

    assert (kind, data.tolist()) == ("points", [[1, 0, 0], [0, 1, 0]])
    assert options["metadata"]["autoseg"].images == (path,)


# Objects that overlap.


def crossing():
    """Two rods, 1 along and 2 across, of which 1 is on top where they cross."""
    along, across = np.zeros((2, 7, 9), bool)
    along[3, 1:8], across[1:6, 4] = True, True
    labels = np.where(along, 1, np.where(across, 2, 0)).astype(np.int32)
    masks = {i: Mask.of_places(np.nonzero(m)) for i, m in ((1, along), (2, across))}
    return Instances(labels, masks=masks), along, across


def test_objects_that_overlap_are_whole_in_layers_and_in_the_data_set(tmp_path):
    found, along, across = crossing()
    folder = tmp_path / "Rods"
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True)
    raw = {"channel_names": {"0": "light"}, "labels": {"background": 0, "rod": 1}}
    raw |= {"task": "instance", "file_ending": ".tif"}
    (folder / "dataset.json").write_text(json.dumps(raw))
    tifffile.imwrite(folder / "imagesTr" / "a_0000.tif", np.zeros((7, 9), np.uint8))
    path = folder / "labelsTr" / "a.tif"
    tifffile.imwrite(path, found.labels.astype(np.uint16))
    write_overlaps(path.with_name("a_overlaps.json"), found)

    shown = [as_layer(layer) for layer in layers.opened(path)]

    maps = [layer.data for layer in shown]
    assert len(maps) == 2 and len({layer.name for layer in shown}) == 2
    for i, whole in ((1, along), (2, across)):
        np.testing.assert_array_equal(np.any([one == i for one in maps], 0), whole)
    shown[0].data[0, 0] = 3  # somebody adds an object
    besides = layers.belonging(shown[0], shown)
    assert besides == [shown[1]]
    layers.kept(shown[0], str(folder), "a", replacing=True, besides=besides)

    dataset = load_dataset(folder)
    task = make_task(choose_task(dataset))
    again, _ = read_annotation(path, dataset, task, case_id="a")
    assert again.ids == [1, 2, 3]
    for i, whole in ((1, along), (2, across)):
        mask, seen = again.mask_of(i), np.zeros((7, 9), bool)
        seen[mask.box] = mask.inside
        np.testing.assert_array_equal(seen, whole)
    # What is saved without overlaps takes the file of before away.
    layers.kept(shown[0], str(folder), "a", replacing=True)
    assert not path.with_name("a_overlaps.json").exists()


def test_layers_of_two_predictions_are_not_one_annotation():
    found, *_ = crossing()
    about = (Geometry(shape=(7, 9), spacing=(1.0, 1.0)), (), "a")
    shown = [as_layer(one) for _ in "ab" for one in layers.object_layers(found, *about)]

    assert layers.belonging(shown[0], shown) == [shown[1]]
