"""What files call their channels is compared with what they are taken for."""

import json

import numpy as np
import pytest
import tifffile

from autoseg.datasets.read import load_dataset
from autoseg.fingerprint.check.stage import check
from autoseg.formats.base import read_image
from autoseg.formats.header import remarks_of
from autoseg.spec.foreign.channels import misnamed
from tests.each import each

SAID = ("DAPI", "GFP")


def image(number):
    """Two channels of noise, of which the first is bright."""
    array = np.random.default_rng(number).integers(0, 50, (2, 8, 10)).astype(np.uint16)
    array[0] += 1000
    return array


def as_tiff(path, array, names):
    channels = {"Name": list(names)} if len(names) > 1 else {"Name": names[0]}
    metadata = {"axes": "CYX" if array.ndim == 3 else "YX", "Channel": channels}
    tifffile.imwrite(path, array, metadata=metadata, photometric="minisblack")


def data(folder, names, *, channels=SAID, apart=False):
    """A data set whose files call the channels by names, one tuple for each case."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for number, own in enumerate(names):
        start = folder / "imagesTr" / f"c{number}"
        if apart:
            for channel, name in enumerate(own):
                path = start.with_name(f"c{number}_{channel:04d}.ome.tif")
                as_tiff(path, image(number)[channel], [name])
        else:
            as_tiff(start.with_suffix(".ome.tif"), image(number), own)
        drawn = np.eye(8, 10, dtype=np.uint8)
        tifffile.imwrite(folder / "labelsTr" / f"c{number}.ome.tif", drawn)
    said = {"channel_names": list(channels), "labels": {"background": 0, "x": 1}}
    (folder / "dataset.json").write_text(json.dumps(said))
    return folder


@each(
    "names, channels, apart, found",
    [
        ([SAID, SAID], SAID, False, []),
        ([SAID, SAID], ("dapi", "gfp "), False, []),
        ([SAID, SAID[::-1]], SAID, False, ["c1"]),
        ([SAID, SAID[::-1]], SAID, True, ["c1"]),
        ([SAID, SAID, SAID[::-1]], ("nuclei", "actin"), False, ["c2"]),
        ([SAID, ("Cy3", "Cy5")], ("nuclei", "actin"), False, []),
        ([("0", "1"), ("0", "1")], SAID, False, []),
    ],
)
def test_channels_in_another_order_are_told(
    tmp_path_factory, names, channels, apart, found
):
    folder = data(
        tmp_path_factory.mktemp("x") / "D", names, channels=channels, apart=apart
    )

    told = [p for p in check(folder, workers=1) if "calls its channels" in p.found]

    assert [p.file.name[:2] for p in told] == found
    assert all(p.severity == "warning" and "GFP, DAPI" in p.found for p in told)


def test_whoever_reads_an_image_is_told_and_the_order_of_the_file_stays(tmp_path):
    dataset = load_dataset(data(tmp_path / "D", [SAID[::-1]]))

    found = read_image(dataset.training[0], dataset)

    np.testing.assert_array_equal(found.array, image(0))
    (remark,) = remarks_of(found.geometry)
    assert remark == (
        "it calls its channels GFP, DAPI, and they are taken for DAPI, GFP, in this "
        "order (dataset.json)"
    )


def test_ome_zarr_names_its_channels_in_omero(tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3")
    from autoseg.formats.base import find_format

    path = tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=image(0))
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": name} for name in "cyx"],
            "datasets": [{"path": "0"}],
        }
    ]
    group.attrs["omero"] = {"channels": [{"label": "GFP"}, {"label": "DAPI"}]}

    found = find_format(path).read_image([path], channels=2, names=SAID)

    np.testing.assert_array_equal(found.array, image(0))
    assert "GFP, DAPI" in remarks_of(found.geometry)[0]


def test_names_that_no_channel_has_or_two_have_say_nothing():
    assert not misnamed(["a", "b"], ["c", "d"])
    assert not misnamed(["b", "a"], ["a", "a"])
    assert not misnamed(["b"], ["a", "b"])
    assert misnamed(["b", ""], ["a", "b"])
