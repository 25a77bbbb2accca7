"""Data have an identity: all files of a case, and the place of the data set."""

import json
import os
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

import autoseg
from autoseg.datasets.identity import all_files, content_of, quick_stamp
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError
from autoseg.model.locate import find_model
from autoseg.spec.dataset import Case
from autoseg.spec.foreign.behind import voxels_behind
from autoseg.workspace import Workspace
from tests import toy


def touch(path):
    os.utime(path, ns=(10**18, 10**18))


@pytest.fixture
def small(tmp_path):
    return toy.volumes(tmp_path / "one" / "Toy", cases=3, test=0, shape=(4, 8, 8))


def tree(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write_mhd(path, array, compress=False):
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path), useCompression=compress)
    return path


@pytest.mark.parametrize(("compress", "ending"), [(False, ".raw"), (True, ".zraw")])
def test_the_voxels_of_mhd_belong_to_its_case(tmp_path, compress, ending):
    image = write_mhd(tmp_path / "a.mhd", np.zeros((2, 3, 4), np.int16), compress)
    case = Case(id="a", images=(image,))

    assert all_files(case) == [image, tmp_path / f"a{ending}"]


def test_a_change_of_the_voxels_behind_a_header_is_seen(tmp_path):
    image = write_mhd(tmp_path / "a.mhd", np.zeros((2, 3, 4), np.int16))
    case = Case(id="a", images=(image,))
    before = quick_stamp(case), content_of(case)

    (tmp_path / "a.raw").write_bytes(b"\1" * 48)
    touch(tmp_path / "a.raw")

    assert quick_stamp(case) != before[0] and content_of(case) != before[1]


def test_headers_say_where_their_voxels_are(tmp_path):
    detached = tmp_path / "a.nrrd"
    detached.write_bytes(b"NRRD0004\ntype: short\ndata file: other.raw\n\n")
    (tmp_path / "b.nrrd").write_bytes(b"NRRD0004\ntype: short\n\ndata file: x.raw\n")
    slices = tmp_path / "c.mhd"
    slices.write_text("NDims = 3\nElementDataFile = s%d.raw 1 2 1\n")
    for name in ("s1.raw", "s2.raw"):
        (tmp_path / name).write_bytes(b"")

    assert voxels_behind(detached) == [tmp_path / "other.raw"]
    assert voxels_behind(tmp_path / "b.nrrd") == []
    assert set(voxels_behind(slices)) >= {tmp_path / "s1.raw", tmp_path / "s2.raw"}
    assert voxels_behind(tmp_path / "a.nii.gz") == []


def test_side_cars_and_folders_of_masks_belong_to_their_case(tmp_path):
    for name in ("img/a.tif", "img/a.json", "lab/a/1.png", "lab/a/masks/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    case = Case(id="a", images=(tmp_path / "img/a.tif",), annotation=tmp_path / "lab/a")

    names = {path.name for path in all_files(case)}

    assert {"a.tif", "a.json", "1.png", "2.png"} <= names


def test_content_does_not_hang_on_times_and_folders(small, tmp_path):
    shutil.copytree(small, tmp_path / "copy")
    first, copy = load_dataset(small), load_dataset(tmp_path / "copy")
    touch(copy.training[0].images[0])

    assert quick_stamp(first.training[0]) != quick_stamp(copy.training[0])
    assert content_of(first.training[0]) == content_of(copy.training[0])
    assert content_of(first.training[0]) != content_of(first.training[1])


def test_nothing_is_done_again_of_a_folder_that_was_moved(small, tmp_path, caplog):
    root = tmp_path / "root"
    autoseg.fingerprint(small, root)
    autoseg.plan(small, root)
    autoseg.preprocess(small, root)
    place = Workspace(root=root, dataset="Toy").preprocessed
    before = {p: c for p, c in tree(place).items() if p.suffix in (".b2nd", ".npy")}
    times = {path: path.stat().st_mtime_ns for path in before}
    moved = tmp_path / "elsewhere" / "Toy"
    shutil.copytree(small, moved, copy_function=shutil.copyfile)
    shutil.rmtree(small)

    with caplog.at_level("INFO", "autoseg"):
        autoseg.fingerprint(moved, root)
        autoseg.plan(moved, root)
        autoseg.preprocess(moved, root)

    assert {path: path.stat().st_mtime_ns for path in before} == times
    assert "is up to date" in caplog.text and "lies in" in caplog.text


@pytest.mark.parametrize("other", ["cases", "labels"])
def test_a_namesake_is_refused_and_touches_nothing(small, tmp_path, other):
    root, namesake = tmp_path / "root", tmp_path / "two" / "Toy"
    autoseg.fingerprint(small, root)
    autoseg.plan(small, root)
    autoseg.preprocess(small, root)
    if other == "cases":
        toy.volumes(namesake, cases=4, test=0, shape=(4, 8, 10))
    else:  # the same files, but their values mean something else
        shutil.copytree(small, namesake)
        raw = json.loads((namesake / "dataset.json").read_text())
        raw["labels"] = {"background": 0, "due": 1, "uno": 2}
        (namesake / "dataset.json").write_text(json.dumps(raw))
    before = tree(root)

    for command in (autoseg.fingerprint, autoseg.plan, autoseg.preprocess):
        with pytest.raises(DatasetError, match="same name.*another root"):
            command(namesake, root)
    with pytest.raises(DatasetError, match="same name"):
        autoseg.train(namesake, "3d_fullres", 1, root, iterations=1)
    with pytest.raises(DatasetError, match="same name"):  # its model is not this one's
        find_model(str(namesake), "3d_fullres", root)
    with pytest.raises(DatasetError, match="same name"):
        autoseg.next(namesake, namesake / "imagesTr", tmp_path / "next", root)

    assert tree(root) == before
    autoseg.fingerprint(small, root)  # the first goes on
    assert tree(root) == before


def test_the_place_of_a_data_set_in_the_root_may_move_with_it(tmp_path):
    toy.volumes(tmp_path / "root" / "raw" / "Toy", cases=2, test=0, shape=(4, 8, 8))
    autoseg.fingerprint("Toy", tmp_path / "root")

    (tmp_path / "root").rename(tmp_path / "moved")
    found = autoseg.fingerprint("Toy", tmp_path / "moved")

    origin = Workspace(root=tmp_path / "moved", dataset="Toy").origin
    assert json.loads(origin.read_text())["folder"] == os.path.join("raw", "Toy")
    assert found.num_cases == 2


def test_fingerprints_of_versions_before_are_up_to_date(small, tmp_path, caplog):
    autoseg.fingerprint(small, tmp_path / "root")
    place = Workspace(root=tmp_path / "root", dataset="Toy")
    entries = json.loads(place.fingerprint_sources.read_text())
    before = {case: entry["stamp"] for case, entry in entries.items()}
    place.fingerprint_sources.write_text(json.dumps(before))
    place.origin.unlink()

    with caplog.at_level("INFO", "autoseg"):
        autoseg.fingerprint(small, tmp_path / "root")

    assert "is up to date" in caplog.text


def test_corrected_voxels_of_mhd_are_measured_and_prepared_again(tmp_path):
    folder, root = tmp_path / "Toy", tmp_path / "root"
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for number in range(2):
        labels = toy.labels_of(number, (4, 8, 8))
        image = toy.image_of(labels, number).astype(np.int16)
        write_mhd(folder / "imagesTr" / f"c{number}.mhd", image)
        write_mhd(folder / "labelsTr" / f"c{number}.mhd", labels)
    toy.describe(
        folder,
        channel_names={"0": "MR"},
        labels={"background": 0, "one": 1, "two": 2},
        file_ending=".mhd",
    )
    first = autoseg.fingerprint(folder, root).intensities[0].mean
    for number in range(2):
        voxels = folder / "imagesTr" / f"c{number}.raw"
        tenfold = 10 * np.frombuffer(voxels.read_bytes(), np.int16)
        voxels.write_bytes(tenfold.tobytes())
        touch(voxels)

    second = autoseg.fingerprint(folder, root).intensities[0].mean

    assert second == pytest.approx(10 * first)
