"""One case to the network's grid and back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from autoseg.errors import DatasetError, FormatError, UsageError
from autoseg.geometry.orientation import reorient
from autoseg.preprocess.case import normalize_case, prepare_image
from autoseg.preprocess.placement import Placement, restore_labels, restore_outputs
from autoseg.preprocess.points import restore_coordinates
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration, Resampling
from autoseg.spec.image import Geometry, Image
from autoseg.spec.plan import Channel, Plan
from autoseg.spec.points import PRESENT, Points
from tests.each import each

NETWORK = Choice(name="plain_unet")


def _configuration(*spacing, **options):
    size = (4,) * len(spacing)
    return Configuration(
        spacing=spacing,
        patch_size=size,
        batch_size=2,
        median_shape=size,
        network=NETWORK,
        **options,
    )


def _plan(transpose=(0, 1, 2), masked=False, channels=1, normalizer="zscore", **more):
    return Plan(
        name="unet",
        dataset="Dataset001_Toy",
        planner="unet",
        task=Choice(name="semantic"),
        unit="mm",
        transpose=transpose,
        channels=tuple(
            Channel(name=f"MR{i}", normalizer=Choice(name=normalizer), masked=masked)
            for i in range(channels)
        ),
        configurations=more.pop(
            "configurations", {"3d_fullres": _configuration(1, 1, 1)}
        ),
        **more,
    )


def _image(shape=(6, 9, 8), spacing=(1.0, 1.0, 1.0), channels=1, seed=0, **geometry):
    array = np.random.default_rng(seed).normal(50, 20, (channels, *shape))
    place = Geometry(shape=shape, spacing=spacing, **geometry)
    return Image(array=array.astype(np.float32), geometry=place)


def _framed(image, box):
    """Return the image with zeros outside a box."""
    array = np.zeros_like(image.array)
    inside = (slice(None), *box)
    array[inside] = image.array[inside]
    return replace(image, array=array)


def test_the_array_is_float32_in_the_plans_order_of_axes():
    image = _image((6, 9, 8), spacing=(1.0, 2.0, 3.0))
    configuration = _configuration(3.0, 1.0, 2.0)
    plan = _plan((2, 0, 1), configurations={"3d_fullres": configuration})

    prepared = prepare_image(image, plan, "3d_fullres")

    values = image.array[0].transpose(2, 0, 1)
    wanted = (values - values.mean()) / values.std()
    assert prepared.array.dtype == np.float32
    assert prepared.array.flags.c_contiguous
    np.testing.assert_allclose(prepared.array[0], wanted, atol=1e-5)
    assert prepared.placement.cropped_spacing == (3.0, 1.0, 2.0)


def test_the_image_that_was_given_is_not_changed():
    image = _image()
    before = image.array.copy()

    prepare_image(image, _plan(), "3d_fullres")

    np.testing.assert_array_equal(image.array, before)


def test_an_image_that_may_be_overwritten_gives_the_same():
    image = _image((6, 9, 8), spacing=(3.0, 1.0, 1.5))
    wanted = prepare_image(image, _plan(), "3d_fullres")

    prepared = prepare_image(image, _plan(), "3d_fullres", overwrite=True)

    np.testing.assert_array_equal(prepared.array, wanted.array)


def test_whole_numbers_become_float32():
    image = _image()
    whole = replace(image, array=image.array.astype(np.int16))

    prepared = prepare_image(whole, _plan(normalizer="none"), "3d_fullres")

    assert prepared.array.dtype == np.float32
    np.testing.assert_array_equal(prepared.array, whole.array)


def test_zeros_around_the_image_are_cut_off_before_normalization():
    box = (slice(1, 5), slice(2, 9), slice(0, 6))
    image = _framed(_image(), box)

    prepared = prepare_image(image, _plan(), "3d_fullres")

    inside = image.array[0][box]
    assert prepared.placement.box == ((1, 5), (2, 9), (0, 6))
    np.testing.assert_allclose(
        prepared.array[0], (inside - inside.mean()) / inside.std(), atol=1e-5
    )


def test_masked_channels_are_normalized_inside_only_and_holes_count_as_inside():
    image = _image((7, 7, 7), channels=2)
    ball = np.linalg.norm(np.indices((7, 7, 7)) - 3, axis=0) < 3.2
    image.array[:, ~ball] = 0
    image.array[:, 3, 3, 3] = 0  # a hole

    array = normalize_case(image, _plan(masked=True, channels=2)).array

    filled = ndimage.binary_fill_holes(ball)
    for given, normalized in zip(image.array, array, strict=True):
        inside = given[filled]
        assert not normalized[~filled].any()
        np.testing.assert_allclose(
            normalized[filled], (inside - inside.mean()) / inside.std(), atol=1e-5
        )


@pytest.mark.parametrize("masked", [True, False])
def test_an_annotation_does_not_change_the_image(masked):
    image = _image((7, 7, 7))
    image.array[:, :4, :4] = 0  # a corner that is outside and no hole
    labels = np.ones((7, 7, 7), np.uint8)

    alone = normalize_case(image, _plan(masked=masked)).array
    together = normalize_case(image, _plan(masked=masked), labels).array

    np.testing.assert_array_equal(together, alone)
    assert (together[0, 0, 0, 0] == 0) == masked


def test_resampling_goes_to_the_configurations_spacing():
    image = _image((6, 9, 8), spacing=(3.0, 1.0, 1.5))
    plan = _plan(configurations={"3d_fullres": _configuration(2.0, 2.0, 1.0)})

    prepared = prepare_image(image, plan, "3d_fullres")

    # 6 * 3 / 2 = 9, 9 * 1 / 2 = 4.5 -> 4, 8 * 1.5 / 1 = 12
    assert prepared.array.shape == (1, 9, 4, 12)
    assert prepared.placement.shape == (9, 4, 12)
    assert prepared.placement.cropped_shape == (6, 9, 8)
    assert prepared.placement.spacing == (2.0, 2.0, 1.0)


def test_a_2d_configuration_leaves_the_slices_of_a_volume_as_they_are():
    image = _image((6, 9, 8), spacing=(5.0, 1.0, 1.0))
    plan = _plan(configurations={"2d": _configuration(0.5, 2.0)})

    prepared = prepare_image(image, plan, "2d")

    assert prepared.array.shape == (1, 6, 18, 4)
    assert prepared.placement.spacing == (5.0, 0.5, 2.0)


def test_without_resampling_the_shape_is_that_of_the_crop():
    image = _image((6, 9, 8))
    none = _configuration(2, 2, 2, resampling=Resampling(method="none"))

    prepared = prepare_image(image, _plan(configurations={"x": none}), "x")

    assert prepared.array.shape[1:] == prepared.placement.shape == (6, 9, 8)


@pytest.mark.parametrize("exact", [True, False])
def test_one_normalized_case_serves_all_configurations(exact):
    image = _image((6, 9, 8))
    labels = (image.array[0] > 50).astype(np.uint8)
    plan = _plan(
        configurations={"a": _configuration(0.7, 1, 2), "b": _configuration(1.3, 1.3)}
    )
    once = normalize_case(image, plan, labels)

    for name in ("a", "b"):
        again = once.resample(plan.configuration(name), exact)
        alone = prepare_image(image, plan, name, exact=exact, annotation=labels)

        np.testing.assert_array_equal(again.array, alone.array)
        np.testing.assert_array_equal(again.annotation, alone.annotation)
        assert again.placement == alone.placement


def test_unlabeled_voxels_outside_the_nonzero_region_are_marked():
    image = _framed(_image((5, 5, 5)), (slice(1, 4),) * 3)
    image.array[0, 1, 1, 1] = 0
    labels = np.zeros((5, 5, 5), np.uint8)
    labels[2, 2, 2] = 3

    annotation = normalize_case(image, _plan(), labels).annotation

    wanted = np.zeros((3, 3, 3), np.int16)
    wanted[0, 0, 0] = -1  # a corner of the crop that is zero and no hole
    wanted[1, 1, 1] = 3
    assert annotation.dtype == np.int16
    np.testing.assert_array_equal(annotation, wanted)


def test_ids_beyond_16_bit_are_kept():
    labels = np.zeros((5, 5, 5), np.int32)
    labels[2, 2, 2] = 70_000

    annotation = normalize_case(_image((5, 5, 5)), _plan(), labels).annotation

    assert annotation.max() == 70_000


def test_a_label_outside_the_nonzero_region_is_kept():
    image = _framed(_image((5, 5, 5)), (slice(1, 4),) * 3)
    image.array[0, 1, 1, 1] = 0
    labels = np.zeros((5, 5, 5), np.uint8)
    labels[1, 1, 1] = 2

    assert normalize_case(image, _plan(), labels).annotation[0, 0, 0] == 2


DIRECTIONS = {
    "LPS": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "RAS": (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    "PIR": (0, 0, -1, 1, 0, 0, 0, -1, 0),
}


@each("transpose", [(0, 1, 2), (2, 0, 1)])
@each("orientation", [None, "LPS", "SAR"])
@each("direction", DIRECTIONS.values())
def test_what_is_restored_lies_where_it_came_from(direction, orientation, transpose):
    image = _image((6, 9, 8), spacing=(3.0, 1.0, 1.5), direction=direction)
    image = _framed(image, (slice(1, 5), slice(0, 7), slice(3, 8)))
    labels = np.random.default_rng(0).integers(1, 5, (6, 9, 8))
    plan = _plan(transpose, orientation=orientation)

    case = normalize_case(image, plan, labels)
    restored = restore_labels(case.annotation, case.placement, fill=9)

    inside = np.zeros((6, 9, 8), dtype=bool)
    inside[1:5, 0:7, 3:8] = True
    assert restored.shape == (6, 9, 8)
    assert restored.flags.c_contiguous
    np.testing.assert_array_equal(restored, np.where(inside, labels, 9))


def test_an_image_that_was_turned_is_prepared_as_it_was_before():
    straight = _image((6, 9, 8), spacing=(3.0, 1.0, 1.5))
    array, geometry = reorient(straight.array, straight.geometry, "ASR")
    turned = Image(array=array, geometry=geometry)
    plan = _plan(orientation="LPS")

    wanted = prepare_image(straight, plan, "3d_fullres")
    prepared = prepare_image(turned, plan, "3d_fullres")

    np.testing.assert_allclose(prepared.array, wanted.array, atol=1e-5)


@pytest.mark.parametrize(
    "oriented, wanted, undone",
    [(True, "LPS", None), (True, "RAS", "RAS"), (False, "RAS", None)],
)
def test_only_what_was_turned_has_to_be_turned_back(oriented, wanted, undone):
    image = _image((4, 5, 6))
    image = replace(image, geometry=replace(image.geometry, oriented=oriented))

    placement = normalize_case(image, _plan(orientation=wanted)).placement

    assert placement.orientation == undone


def test_outputs_are_restored_with_their_own_value_outside():
    image = _framed(_image((4, 4, 4)), (slice(1, 3),) * 3)
    placement = normalize_case(image, _plan()).placement
    outputs = np.full((2, 2, 2, 2), 0.25, np.float32)

    restored = restore_outputs(outputs, placement, fill=(1.0, 0.0))

    assert restored.dtype == np.float32
    assert restored[:, 0, 0, 0].tolist() == [1.0, 0.0]
    assert restored[:, 2, 2, 2].tolist() == [0.25, 0.25]


def test_an_array_on_the_wrong_grid_is_not_restored():
    placement = normalize_case(_image((4, 4, 4)), _plan()).placement

    with pytest.raises(UsageError, match="resample it"):
        restore_labels(np.zeros((4, 4, 5), int), placement)


def test_a_placement_survives_json():
    image = _image((6, 9, 8), spacing=(0.1, 1 / 3, 2.5), origin=(1.1, -2.2, 1e-9))
    placement = prepare_image(image, _plan(orientation="RAS"), "3d_fullres").placement

    text = json.dumps(placement.to_json())

    assert Placement.from_json(json.loads(text)) == placement


def test_an_image_of_zeros_is_kept_whole():
    image = Image(
        array=np.zeros((1, 3, 4, 5), np.float32),
        geometry=Geometry(shape=(3, 4, 5), spacing=(1.0, 1.0, 1.0)),
    )
    labels = np.zeros((3, 4, 5), np.uint8)

    for masked in (False, True):
        plan = _plan(masked=masked)
        prepared = prepare_image(image, plan, "3d_fullres", annotation=labels)

        assert prepared.array.shape == (1, 3, 4, 5)
        assert not prepared.array.any()
        assert (prepared.annotation == -1).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 1), (2, 1, 3)])
def test_images_of_hardly_any_voxels_go_through(shape):
    image = _image(shape, spacing=(10.0, 0.1, 3.0))
    plan = _plan(configurations={"3d": _configuration(1, 1, 1)})

    prepared = prepare_image(image, plan, "3d", annotation=np.ones(shape, int))

    # 10 times as many along the first axis, a tenth but at least 1 along the second
    assert prepared.array.shape[1:] == (shape[0] * 10, 1, shape[2] * 3)
    assert np.isfinite(prepared.array).all()
    assert (prepared.annotation == 1).all()


def test_a_photograph_is_prepared_in_two_dimensions():
    image = _image((12, 10), spacing=(1.0, 1.0), channels=3)
    configuration = {"2d": _configuration(2.0, 0.5)}
    plan = _plan((0, 1), channels=3, configurations=configuration, orientation="LPS")

    prepared = prepare_image(image, plan, "2d")

    assert prepared.array.shape == (3, 6, 20)
    assert prepared.placement.orientation is None


def test_values_that_are_not_finite_are_counted_and_the_file_named(tmp_path):
    image = replace(_image(), path=tmp_path / "case_0000.nii.gz")
    image.array[0, 0, 0, :2] = np.nan
    image.array[0, 1, 0, 0] = np.inf

    with pytest.raises(FormatError, match=r"case_0000.nii.gz has 3 of 432 values"):
        prepare_image(image, _plan(), "3d_fullres")


def test_missing_channels_are_refused_with_the_names_that_are_needed():
    with pytest.raises(FormatError, match="1 channels; the plan needs 2: MR0, MR1"):
        prepare_image(_image(), _plan(channels=2), "3d_fullres")


def test_a_photograph_for_a_plan_of_volumes_is_refused():
    with pytest.raises(FormatError, match="images of 3 axes"):
        prepare_image(_image((9, 8), spacing=(1.0, 1.0)), _plan(), "3d_fullres")


def test_an_annotation_of_another_shape_is_refused():
    with pytest.raises(DatasetError, match=r"\(6, 9, 8\), its annotation \(6, 9, 7\)"):
        normalize_case(_image(), _plan(), np.zeros((6, 9, 7), int))


def test_a_channel_that_cannot_be_normalized_is_named():
    image = _image()
    image.array[0, 0, 0, 0] = -400

    with pytest.raises(FormatError, match="channel 'MR0': .*0 to 255"):
        normalize_case(image, _plan(normalizer="rgb_to_0_1"))


def test_points_go_to_the_networks_grid_with_the_image_and_back():
    # A bright ball about the point: its center of mass must stay at the point.
    direction = (0, 1, 0, 1, 0, 0, 0, 0, -1)
    image = _image((24, 30, 28), (2.0, 1.0, 1.0), direction=direction)
    place = np.array([10.4, 17.25, 13.0])
    grid = np.stack(np.meshgrid(*map(np.arange, (24, 30, 28)), indexing="ij"))
    square = ((grid - place[:, None, None, None]) ** 2).sum(0)
    array = np.zeros((1, 24, 30, 28), np.float32)
    array[0, 2:22, 3:, :25] = 1
    array[0] += (100 * np.exp(-square / 8)).astype(np.float32)
    array[array < 1] = 0
    image = replace(image, array=array)
    plan = _plan(
        (2, 0, 1),
        normalizer="none",
        orientation="LPS",
        configurations={"3d_fullres": _configuration(0.8, 1.25, 1.0)},
    )
    points = Points(("a",), place[None], np.array([PRESENT]), shape=(24, 30, 28))
    prepared = prepare_image(image, plan, "3d_fullres", annotation=points)
    moved = prepared.annotation.coordinates
    heat = np.clip(prepared.array[0] - 5, 0, None)
    np.testing.assert_allclose(moved[0], ndimage.center_of_mass(heat), atol=0.05)
    assert prepared.annotation.shape == prepared.array.shape[1:]
    back = restore_coordinates(moved, prepared.placement)
    np.testing.assert_allclose(back[0], place)


@pytest.mark.parametrize("masked", [False, True])
def test_a_plan_may_say_that_nothing_is_cropped(masked):
    box = (slice(1, 4), slice(2, 8), slice(0, 5))
    image = _framed(_image(), box)
    labels = np.zeros((6, 9, 8), np.int16)
    labels[5, :, 7] = 2  # far outside
    plan = _plan(crop="none", masked=masked)

    case = normalize_case(image, plan, labels)

    assert case.placement.box == ((0, 6), (0, 9), (0, 8))
    assert case.placement.cropped_shape == (6, 9, 8)
    mask = np.zeros((6, 9, 8), bool)
    mask[box] = True
    values = image.array[0][mask] if masked else image.array[0]
    wanted = (image.array[0] - values.mean()) / values.std()
    wanted[~mask & masked] = 0
    np.testing.assert_allclose(case.array[0], wanted, atol=1e-5)
    # Only a normalization in the mask has to know where the image is.
    assert np.array_equal(
        case.annotation, np.where(~mask & masked & (labels == 0), -1, labels)
    )
    assert case.annotation.dtype == np.int16


def test_preprocessed_data_of_cropped_images_keep_their_folder():
    plan = _plan()

    assert plan.data_id("3d_fullres") != _plan(crop="none").data_id("3d_fullres")
    assert plan.data_id("3d_fullres") == _plan(crop="nonzero").data_id("3d_fullres")
