import nibabel
import numpy as np
import SimpleITK as sitk

from autoseg.pointfiles.convention import Convention
from autoseg.spec.image import Geometry
from tests.each import each

TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
GEOMETRY = Geometry(
    shape=(5, 6, 7),
    spacing=(3.0, 2.0, 0.5),
    origin=(10.0, -20.0, 5.0),
    direction=tuple(TURN.ravel()),
)
INDEX = np.array([[1.5, 2.25, 3.0], [np.nan] * 3, [0.0, -0.5, 6.5]])  # z, y, x


def test_physical_coordinates_are_those_of_simpleitk():
    image = sitk.Image(7, 6, 5, sitk.sitkUInt8)
    image.SetSpacing((0.5, 2.0, 3.0))
    image.SetOrigin(GEOMETRY.origin)
    image.SetDirection(GEOMETRY.direction)

    found = Convention(space="physical").from_index(INDEX[[0, 2]], GEOMETRY)

    expected = [
        image.TransformContinuousIndexToPhysicalPoint(index[::-1].tolist())
        for index in INDEX[[0, 2]]
    ]
    np.testing.assert_allclose(found, expected)


def test_ras_is_what_nibabel_says_of_the_same_image(tmp_path):
    image = sitk.Image(7, 6, 5, sitk.sitkUInt8)
    image.SetSpacing((0.5, 2.0, 3.0))
    image.SetOrigin(GEOMETRY.origin)
    image.SetDirection(GEOMETRY.direction)
    sitk.WriteImage(image, str(tmp_path / "a.nii.gz"))
    affine = nibabel.load(tmp_path / "a.nii.gz").affine

    found = Convention(space="physical", frame="RAS").from_index(INDEX, GEOMETRY)

    expected = nibabel.affines.apply_affine(affine, INDEX[:, ::-1])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@each("space", ["index", "physical"])
@each("frame", ["LPS", "RAS"])
@each("order", ["xyz", "zyx"])
@each("first", [0.0, 0.5, 1.0])
def test_there_and_back_is_where_it_was(space, frame, order, first):
    convention = Convention(space=space, frame=frame, order=order, first=first)

    there = convention.from_index(INDEX, GEOMETRY)

    np.testing.assert_allclose(convention.to_index(there, GEOMETRY), INDEX, atol=1e-12)


def test_a_flat_image_takes_two_of_three_coordinates():
    flat = Geometry(shape=(5, 6), spacing=(2.0, 0.5), origin=(1.0, 2.0))

    # x: (2 - 1) / 0.5, y: (6 - 2) / 2
    found = Convention(space="physical").to_index(np.array([[2.0, 6.0, 0.0]]), flat)

    assert found.tolist() == [[2.0, 2.0]]
