"""Landmarks in a structure set, written by pydicom."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points
from autoseg.spec.image import Geometry

pydicom = pytest.importorskip("pydicom")

# Slices run down, rows to the left: index (z, y, x) lies at
# (10 - 2 y, 20 + 3 x, 30 - 4 z).
GEOMETRY = Geometry(
    shape=(9, 8, 7),
    spacing=(4.0, 2.0, 3.0),
    origin=(10.0, 20.0, 30.0),
    direction=(0, -1, 0, 1, 0, 0, 0, 0, -1),
)
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"


def write(path, regions):
    """Write regions: name, and contours as type and numbers."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = STRUCTURES
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = STRUCTURES, meta.MediaStorageSOPInstanceUID
    ds.Modality = "RTSTRUCT"
    ds.StudyInstanceUID = ds.SeriesInstanceUID = generate_uid()
    ds.StructureSetROISequence, ds.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions, 1):
        region, drawn = Dataset(), Dataset()
        region.ROINumber, region.ROIName = number, name
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = []
        for kind, numbers in contours:
            contour = Dataset()
            contour.ContourGeometricType = kind
            contour.NumberOfContourPoints = len(numbers) // 3
            contour.ContourData = list(numbers)
            drawn.ContourSequence.append(contour)
        ds.StructureSetROISequence.append(region)
        ds.ROIContourSequence.append(drawn)
    ds.save_as(path, enforce_file_format=True)
    return path


def read(path):
    return read_points(path, geometry_of=lambda case: GEOMETRY)["a"]


TIP = ("tip", [("POINT", (4.0, 26.0, 10.0))])  # y 3, x 2, z 5
RING = ("liver", [("CLOSED_PLANAR", (0, 0, 0, 1, 0, 0, 1, 1, 0))])


def test_points_lie_where_the_patients_coordinates_say(tmp_path):
    path = write(tmp_path / "a.dcm", [TIP, RING, ("root", [])])

    found = read(path)

    assert found.names == ("tip",)
    np.testing.assert_allclose(found.coordinates, [[5, 3, 2]])


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ([RING], "no region is a point.*liver"),
        ([("tip", [*TIP[1], *TIP[1]])], "'tip' has several points"),
        ([TIP, TIP], "'tip' has several points"),
    ],
    ids=["contours", "two points", "two regions"],
)
def test_what_is_no_landmark_is_named_with_the_file(tmp_path, regions, words):
    with pytest.raises(FormatError, match=f"a.dcm: .*{words}"):
        read(write(tmp_path / "a.dcm", regions))
