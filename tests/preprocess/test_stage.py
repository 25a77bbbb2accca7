"""The stage `preprocess`: from raw files to stored cases."""

import json
import logging
import os
import re
import signal
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

import autoseg
from autoseg.datasets.series import maps
from autoseg.errors import CaseErrors, DatasetError, PlanError, UsageError
from autoseg.preprocess import forecast, stage
from autoseg.preprocess.placement import Placement
from autoseg.preprocess.store import CaseStore
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from autoseg.workspace import Workspace
from tests import toy
from tests.forked import Forked


def _place(root) -> Workspace:
    return Workspace(root=Path(root), dataset="Toy")


def _planned(folder, root) -> Plan:
    autoseg.fingerprint(folder, root)
    return autoseg.plan(folder, root)


def _store(root, configuration="3d_fullres", plan="unet") -> CaseStore:
    place = _place(root)
    made = Plan.load(place.plan(plan))
    return CaseStore(place.data(made.data_id(configuration)))


def _tree(root) -> dict[str, bytes]:
    folder = _place(root).preprocessed
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def reads(monkeypatch):
    """Counts how often each file is read."""
    counts = Counter()
    image, labels = stage.read_image, maps.read_labels

    def read_image(case, dataset, **how):
        counts.update(path.name for path in case.images)
        return image(case, dataset, **how)

    def read_labels(path, dataset, **how):
        counts[path.name] += 1
        return labels(path, dataset, **how)

    monkeypatch.setattr(stage, "read_image", read_image)
    monkeypatch.setattr(maps, "read_labels", read_labels)
    return counts


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data set of even spacing that was preprocessed: (folder, root)."""
    base = tmp_path_factory.mktemp("prepared")
    folder = toy.volumes(base / "Toy", cases=4, test=0, spacing=(1.0, 1.0, 1.0))
    _planned(folder, base / "root")
    autoseg.preprocess(folder, base / "root")
    return folder, base / "root"


def test_where_nothing_is_to_be_resampled_voxels_are_normalized_and_kept(prepared):
    folder, root = prepared

    for number in range(4):
        case = _store(root).open(f"case_{number:02d}")
        raw = nibabel.load(folder / "imagesTr" / f"case_{number:02d}_0000.nii.gz")
        image = np.asarray(raw.dataobj).T.astype(np.float64)
        truth = toy.labels_of(number)
        transpose = Placement.from_json(case.properties["placement"]).transpose
        expected = ((image - image.mean()) / image.std()).transpose(transpose)
        np.testing.assert_allclose(case.image[:][0], expected, atol=2e-3)
        np.testing.assert_array_equal(case.annotation[:], truth.transpose(transpose))


def test_indices_of_classes_point_at_voxels_of_these_classes(prepared):
    _, root = prepared

    case = _store(root).open("case_01")

    labels = case.annotation[:].ravel()
    assert case.classes == ("one", "two")
    for value, name in enumerate(case.classes, start=1):
        np.testing.assert_array_equal(
            case.foreground(name), np.flatnonzero(labels == value)
        )


def test_every_configuration_of_the_plan_is_there(prepared):
    _, root = prepared

    plan = Plan.load(_place(root).plan("unet"))

    assert set(plan.configurations) == {"2d", "3d_fullres"}
    for name in plan.configurations:
        assert _store(root, name).ids() == tuple(f"case_{n:02d}" for n in range(4))


def test_the_grid_is_that_of_the_configuration(tmp_path):
    # x is the coarsest axis; the plan puts it first.
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0, spacing=(0.5, 0.7, 1.5))
    plan = _planned(folder, tmp_path / "root")
    configuration = plan.configuration("3d_fullres")
    finer = {
        **json.loads(_place(tmp_path / "root").plan("unet").read_text()),
        "name": "finer",
    }
    finer["configurations"]["3d_fullres"]["spacing"] = [0.75, 0.25, 0.7]
    _place(tmp_path / "root").plan("finer").write_text(json.dumps(finer))

    autoseg.preprocess(
        folder, tmp_path / "root", plan="finer", configurations=["3d_fullres"]
    )

    assert configuration.spacing == pytest.approx((1.5, 0.5, 0.7))
    assert plan.transpose == (2, 0, 1)
    case = _store(tmp_path / "root", plan="finer").open("case_00")
    depth, height, width = toy.SHAPE
    assert case.shape == (2 * width, 2 * depth, height)


def test_regions_ignored_voxels_and_pictures_go_through(tmp_path):
    for name, make, classes in (
        ("regions", toy.regions, ("whole", "core")),
        ("ignored", toy.ignored, ("one", "two", "annotated")),
        ("pictures", toy.pictures, ("cell",)),
    ):
        folder = make(tmp_path / name / "Toy", cases=3)
        plan = _planned(folder, tmp_path / name)
        configuration = next(iter(plan.configurations))

        autoseg.preprocess(folder, tmp_path / name, configurations=[configuration])

        case = _store(tmp_path / name, configuration).open("case_00")
        assert case.classes == classes


def test_each_raw_file_is_read_once_for_all_configurations(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0, channels=("T1", "T2"))
    _planned(folder, tmp_path / "root")
    reads.clear()  # those of the fingerprint

    autoseg.preprocess(folder, tmp_path / "root")

    assert len(reads) == 9
    assert set(reads.values()) == {1}


@pytest.mark.parametrize("workers", [1, 3])
def test_the_result_is_the_same_bytes_with_any_number_of_workers(tmp_path, workers):
    # Uneven spacings: every case is resampled, with torch.
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    for number, edge in enumerate((1.0, 1.7, 2.3)):
        for kind, end in (("images", "_0000"), ("labels", "")):
            path = folder / f"{kind}Tr" / f"case_{number:02d}{end}.nii.gz"
            array = np.asarray(nibabel.load(path).dataobj).T
            toy.write_nifti(path, array, (edge, 1.0, 0.75))
    for root, count in ((tmp_path / "a", 2), (tmp_path / "b", workers)):
        _planned(folder, root)
        autoseg.preprocess(folder, root, workers=count)

    assert _tree(tmp_path / "a") == _tree(tmp_path / "b")


def test_what_is_there_already_is_not_done_again(prepared, reads, caplog):
    caplog.set_level(logging.INFO)
    folder, root = prepared
    before = _tree(root)

    autoseg.preprocess(folder, root)

    assert not reads
    assert "4 of 4 cases are there already" in caplog.text
    assert _tree(root) == before


def test_everything_is_done_again_when_that_is_asked_for(prepared, reads):
    folder, root = prepared
    before = _tree(root)

    autoseg.preprocess(folder, root, overwrite=True)

    assert len(reads) == 8
    assert _tree(root) == before


@pytest.fixture
def small(tmp_path):
    """A data set that was planned and not yet preprocessed: (folder, root)."""
    folder = toy.volumes(tmp_path / "Toy", cases=4, test=0, spacing=(1.0, 1.0, 1.0))
    _planned(folder, tmp_path / "root")
    return folder, tmp_path / "root"


def test_a_case_whose_file_changed_is_done_again(small, reads):
    folder, root = small
    autoseg.preprocess(folder, root)
    changed = toy.labels_of(2)
    changed[changed == 2] = 1
    toy.write_nifti(folder / "labelsTr" / "case_02.nii.gz", changed, (1.0, 1.0, 1.0))
    reads.clear()

    autoseg.preprocess(folder, root)

    assert sorted(reads) == ["case_02.nii.gz", "case_02_0000.nii.gz"]
    assert _store(root).open("case_02").annotation[:].max() == 1


def test_a_damaged_case_is_done_again(small, reads, caplog):
    folder, root = small
    autoseg.preprocess(folder, root)
    before = _tree(root)
    damaged = _store(root).folder / "case_01.b2nd"
    damaged.write_bytes(damaged.read_bytes()[:100])
    reads.clear()

    autoseg.preprocess(folder, root)

    assert sorted(reads) == ["case_01.nii.gz", "case_01_0000.nii.gz"]
    assert "case_01" in caplog.text
    assert _tree(root) == before


def test_another_precision_is_another_result(small):
    folder, root = small
    autoseg.preprocess(folder, root, configurations=["3d_fullres"])

    autoseg.preprocess(folder, root, configurations=["3d_fullres"], precision="float32")

    assert _store(root).open("case_00").image.dtype == np.float32


def _dies(folder, root):
    """Preprocess until the process kills itself while it writes a fourth case."""
    replace, count = os.replace, 0

    def dying_replace(source, target):
        nonlocal count
        if str(target).endswith("_annotation.b2nd"):
            count += 1
            if count == 4:
                os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = dying_replace
    autoseg.preprocess(folder, root, workers=1, configurations=["3d_fullres"])


def test_a_killed_run_goes_on_where_it_was_with_the_same_result(small, tmp_path, reads):
    folder, root = small
    _planned(folder, tmp_path / "whole")
    autoseg.preprocess(folder, tmp_path / "whole", configurations=["3d_fullres"])
    reads.clear()

    code, said = Forked(tmp_path / "said.txt", _dies, (folder, root), {}).wait(60)
    assert code == -signal.SIGKILL, said
    assert _store(root).ids() == ("case_00", "case_01", "case_02")
    autoseg.preprocess(folder, root, configurations=["3d_fullres"])

    assert sorted(reads) == ["case_03.nii.gz", "case_03_0000.nii.gz"]
    assert _tree(root) == _tree(tmp_path / "whole")


def test_one_bad_case_is_named_and_the_others_are_finished(small):
    folder, root = small
    bad = folder / "imagesTr" / "case_02_0000.nii.gz"
    good = bad.read_bytes()
    bad.write_bytes(good[:60])

    with pytest.raises(CaseErrors, match="preprocess: 1 of 4") as caught:
        autoseg.preprocess(folder, root)
    assert list(caught.value.failures) == ["case_02"]
    assert _store(root).ids() == ("case_00", "case_01", "case_03")
    bad.write_bytes(good)
    autoseg.preprocess(folder, root)

    assert len(_store(root).ids()) == 4


def test_several_machines_share_the_cases(small):
    folder, root = small

    autoseg.preprocess(folder, root, num_parts=3, part_id=1)
    assert _store(root).ids() == ("case_01",)
    autoseg.preprocess(folder, root, num_parts=3, part_id=0)
    assert _store(root).ids() == ("case_00", "case_01", "case_03")
    autoseg.preprocess(folder, root, num_parts=3, part_id=2)

    assert len(_store(root).ids()) == 4


@pytest.mark.parametrize("part_id", [-1, 3])
def test_a_part_that_does_not_exist_is_refused(small, part_id):
    with pytest.raises(UsageError, match="part"):
        autoseg.preprocess(*small, num_parts=3, part_id=part_id)


def test_splits_and_the_description_are_written(small):
    folder, root = small

    autoseg.preprocess(folder, root)

    place = _place(root)
    assert len(json.loads(place.splits.read_text())) == 4  # four cases
    assert place.description.read_text() == (folder / "dataset.json").read_text()


def test_a_single_case_is_preprocessed_and_the_fold_all_is_named(tmp_path, caplog):
    folder = toy.volumes(tmp_path / "Toy", cases=1, test=0)
    _planned(folder, tmp_path / "root")

    autoseg.preprocess(folder, tmp_path / "root", configurations=["3d_fullres"])

    assert _store(tmp_path / "root").ids() == ("case_00",)
    assert "fold `all`" in caplog.text


def test_an_unknown_configuration_is_answered_with_those_that_there_are(small):
    with pytest.raises(PlanError, match="no configuration '4d'.*2d, 3d_fullres"):
        autoseg.preprocess(*small, configurations=["4d"])


def test_without_a_plan_it_is_said_how_to_make_one(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=2)

    with pytest.raises(PlanError, match="autoseg plan"):
        autoseg.preprocess(folder, tmp_path / "root")


def test_a_plan_for_other_channels_is_refused(small):
    folder, root = small
    raw = json.loads((folder / "dataset.json").read_text())
    raw["channel_names"] = {"0": "T1", "1": "T2"}
    (folder / "dataset.json").write_text(json.dumps(raw))

    with pytest.raises(DatasetError, match="for 1 channels.*names 2"):
        autoseg.preprocess(folder, root)


def test_labels_that_changed_since_planning_are_warned_of(small, caplog):
    folder, root = small
    raw = json.loads((folder / "dataset.json").read_text())
    raw["labels"]["three"] = 3
    (folder / "dataset.json").write_text(json.dumps(raw))

    autoseg.preprocess(folder, root)

    assert "has other values of labels than dataset.json" in caplog.text


def test_a_case_that_comes_later_and_lies_otherwise_is_turned(small, caplog):
    folder, root = small
    for part, end in (("imagesTr", "_0000"), ("labelsTr", "")):
        twin = nibabel.load(folder / part / f"case_02{end}.nii.gz")
        seen = np.transpose(np.asarray(twin.dataobj))[
            ::-1, :, ::-1
        ]  # x and z backwards
        place = folder / part / f"late{end}.nii.gz"
        toy.write_nifti(place, seen, (1.0, 1.0, 1.0), axes="RPI")

    autoseg.preprocess(folder, root)

    twin, late = (_store(root).open(name) for name in ("case_02", "late"))
    np.testing.assert_array_equal(late.image[:], twin.image[:])
    np.testing.assert_array_equal(late.annotation[:], twin.annotation[:])
    assert "orientation" not in caplog.text

    autoseg.fingerprint(folder, root)
    autoseg.preprocess(folder, root)

    assert "several orientations now (4 LPS, 1 RPI)" in caplog.text


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_read(
    small, monkeypatch, reads
):
    usage = type("Usage", (), {"free": 20_000})()
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(UsageError, match="GB left. Free some"):
        autoseg.preprocess(*small)

    assert not reads


def test_the_forecast_is_not_below_what_is_written_and_not_far_above(prepared):
    _, root = prepared
    place = _place(root)
    plan = Plan.load(place.plan("unet"))

    expected = forecast.expected_bytes(
        Fingerprint.load(place.fingerprint), plan, "3d_fullres", num_cases=4
    )

    folder = place.data(plan.data_id("3d_fullres"))
    written = sum(path.stat().st_size for path in folder.glob("*.b2nd"))
    assert written * 0.95 <= expected <= 2 * written


def test_a_plan_that_came_without_a_fingerprint_is_enough(small):
    folder, root = small
    _place(root).fingerprint.unlink()

    autoseg.preprocess(folder, root, configurations=["3d_fullres"])

    assert len(_store(root).ids()) == 4


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ("center/1", "a case called 'center/1'; results are files of that name"),
        (".hidden", "cannot: .hidden. Rename"),
        ("case_annotation", "cannot: case_annotation. Rename"),
    ],
)
def test_case_ids_that_are_no_names_of_files_of_their_own_are_refused(small, odd, said):
    folder, root = small
    files = {
        "images": ["imagesTr/case_00_0000.nii.gz"],
        "label": "labelsTr/case_00.nii.gz",
    }
    raw = json.loads((folder / "dataset.json").read_text())
    raw["dataset"] = {"case": files, odd: files, "free_annotation": files}
    (folder / "dataset.json").write_text(json.dumps(raw))

    with pytest.raises(DatasetError, match=re.escape(said)):
        autoseg.preprocess(folder, root)


def test_configurations_of_equal_data_are_stored_once(small, monkeypatch):
    written, write = [], CaseStore.write

    def count(store, case_id, *rest):
        written.append((store.folder, case_id))
        write(store, case_id, *rest)

    monkeypatch.setattr(CaseStore, "write", count)
    folder, root = small
    path = _place(root).plan("unet")
    raw = json.loads(path.read_text())
    raw["configurations"]["again"] = raw["configurations"]["3d_fullres"]
    path.write_text(json.dumps(raw))

    autoseg.preprocess(folder, root)

    plan = Plan.load(path)
    folders = {plan.data_id(name) for name in plan.configurations}
    assert len(written) == len(set(written)) == 2 * 4
    assert folders == {
        f.name for f in _place(root).preprocessed.iterdir() if f.name[1:3] == "d_"
    }


def test_leftovers_of_killed_runs_are_removed_in_time(small):
    folder, root = small
    data = _store(root).folder
    data.mkdir(parents=True)
    leftover = data / ".case_00.b2nd.1.tmp"
    leftover.write_bytes(b"")
    os.utime(leftover, (0, 0))

    autoseg.preprocess(folder, root)

    assert not leftover.exists()
