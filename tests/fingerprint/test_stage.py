"""The stage `fingerprint`: from files to numbers, each file read once."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import nibabel
import numpy as np
import pytest

import autoseg
from autoseg.cli.main import main
from autoseg.datasets.series import maps
from autoseg.errors import CaseErrors, DatasetError, PartDone, UsageError
from autoseg.fingerprint import survey
from autoseg.lock import locked
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint
from tests import toy
from tests.forked import Forked


@pytest.fixture
def reads(monkeypatch):
    """Counts how often each file is read."""
    counts = Counter()
    image, labels = survey.read_image, maps.read_labels

    def read_image(case, dataset, **how):
        counts.update(path.name for path in case.images)
        return image(case, dataset, **how)

    def read_labels(path, dataset, **how):
        counts[path.name] += 1
        return labels(path, dataset, **how)

    monkeypatch.setattr(survey, "read_image", read_image)
    monkeypatch.setattr(maps, "read_labels", read_labels)
    return counts


def _file(root, name="Toy"):
    return root / "preprocessed" / name / "fingerprint.json"


def _truth(folder, channel=0):
    """Return the foreground voxels of all cases, read by nibabel alone."""
    values = []
    for path in sorted((folder / "labelsTr").iterdir()):
        labels = np.asarray(nibabel.load(path).dataobj)
        name = path.name.replace(".nii", f"_{channel:04d}.nii")
        image = np.asarray(nibabel.load(folder / "imagesTr" / name).dataobj)
        values.append(image[(labels > 0) & (labels < 3)])
    return values


def test_the_numbers_are_those_of_the_files(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=4, channels=("T1", "T2"))

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert found.dataset == "Toy"
    assert found.num_cases == 4
    assert found.channel_names == ("T1", "T2")
    assert found.unit == "mm"
    assert found.shapes == (toy.SHAPE,) * 4
    assert found.spacings == (pytest.approx(toy.SPACING),) * 4
    assert found.orientation is None
    assert found.orientations == {"LPS": 4}
    assert found.task == Choice(
        name="semantic", options={"labels": {"background": 0, "one": 1, "two": 2}}
    )
    for channel, intensity in enumerate(found.intensities):
        parts = _truth(folder, channel)
        values = np.concatenate(parts).astype(np.float64)
        weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in parts])
        mean = np.average(values, weights=weights)
        assert intensity.voxels == len(values)
        assert intensity.mean == pytest.approx(mean, rel=1e-9)
        assert intensity.std == pytest.approx(
            np.sqrt(np.average((values - mean) ** 2, weights=weights)), rel=1e-9
        )
        assert (intensity.min, intensity.max) == (values.min(), values.max())
        low, median, high = np.quantile(
            values, (0.005, 0.5, 0.995), weights=weights, method="inverted_cdf"
        )
        assert intensity.percentile_00_5 == low
        assert intensity.median == median
        assert intensity.percentile_99_5 == high
    classes = found.annotation["classes"]
    assert sum(c["voxels"] for c in classes.values()) == found.intensities[0].voxels
    assert Fingerprint.load(_file(tmp_path / "root")) == found


def test_background_around_an_image_is_cropped(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0)
    for number in range(3):
        name = f"case_{number:02d}"
        image = toy.image_of(toy.labels_of(number), number)
        image[:, :5] = 0
        image[..., 20:] = 0
        toy.write_nifti(folder / "imagesTr" / f"{name}_0000.nii.gz", image)

    found = autoseg.fingerprint(folder, tmp_path / "root")

    depth, height, width = toy.SHAPE
    assert found.shapes == ((depth, height - 5, 20),) * 3
    assert found.relative_size_after_crop == pytest.approx(
        (height - 5) / height * 20 / width
    )


def test_voxels_that_nobody_annotated_are_no_foreground(tmp_path):
    folder = toy.ignored(tmp_path / "Toy", cases=3)

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert found.intensities[0].voxels == sum(map(len, _truth(folder)))


def test_cases_that_lie_differently_are_turned_to_the_commonest(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3, axes=("LPS", "RAS", "SLP"))
    toy.volumes(tmp_path / "Other", cases=4, axes=("SLP", "LPS"))

    mixed = autoseg.fingerprint(folder, tmp_path / "root")

    assert mixed.orientations == {"LPS": 1, "RAS": 1, "SLP": 1}
    assert mixed.orientation == "LPS"
    depth, height, width = toy.SHAPE
    # x of the third runs to superior, y to the left, z to posterior
    assert mixed.shapes == (toy.SHAPE, toy.SHAPE, (width, depth, height))


def test_pictures_have_numbers_too(tmp_path):
    folder = toy.pictures(tmp_path / "Toy", cases=3)

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert found.dim == 2
    assert found.unit == "px"
    assert len(found.intensities) == 3
    assert found.shapes == ((28, 32),) * 3


@pytest.mark.parametrize("workers", [1, 3])
def test_the_result_is_the_same_bytes_with_any_number_of_workers(tmp_path, workers):
    folder = toy.volumes(tmp_path / "Toy", cases=7, test=0)

    autoseg.fingerprint(folder, tmp_path / "a", workers=2)
    autoseg.fingerprint(folder, tmp_path / "b", workers=workers)

    assert _file(tmp_path / "a").read_bytes() == _file(tmp_path / "b").read_bytes()


def test_each_file_is_read_once(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=3, channels=("T1", "T2"))

    autoseg.fingerprint(folder, tmp_path / "root")

    assert len(reads) == 9
    assert set(reads.values()) == {1}


def test_nothing_is_read_again_when_nothing_has_changed(tmp_path, reads, caplog):
    caplog.set_level(logging.INFO)
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    first = autoseg.fingerprint(folder, tmp_path / "root")
    reads.clear()

    second = autoseg.fingerprint(folder, tmp_path / "root")

    assert second == first
    assert not reads
    assert "is up to date" in caplog.text


def test_everything_is_read_again_when_that_is_asked_for(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    autoseg.fingerprint(folder, tmp_path / "root")
    reads.clear()

    autoseg.fingerprint(folder, tmp_path / "root", overwrite=True)

    assert len(reads) == 6


def test_a_changed_file_a_new_case_and_a_lost_one_are_noticed(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder = toy.volumes(tmp_path / "Toy", cases=4)
    before = autoseg.fingerprint(folder, tmp_path / "root")
    image = folder / "imagesTr" / "case_00_0000.nii.gz"
    toy.write_nifti(image, 7 * toy.image_of(toy.labels_of(0), 0))
    for kind, end in (("images", "_0000"), ("labels", "")):
        source = folder / f"{kind}Tr" / f"case_01{end}.nii.gz"
        source.rename(folder / f"{kind}Tr" / f"case_77{end}.nii.gz")

    after = autoseg.fingerprint(folder, tmp_path / "root")

    assert after.intensities[0].max > 2 * before.intensities[0].max
    assert "since then 1 case, or" in caplog.text
    assert "1 came and 1 went" in caplog.text


def test_a_changed_meaning_of_labels_is_noticed(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    autoseg.fingerprint(folder, tmp_path / "root")
    raw = json.loads((folder / "dataset.json").read_text())
    raw["labels"] = {"background": 0, "both": [1, 2], "two": 2}
    raw["regions_class_order"] = [1, 2]
    (folder / "dataset.json").write_text(json.dumps(raw))

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert set(found.annotation["classes"]) == {"both", "two"}


def _dies(folder, root):
    """Measure until the process kills itself at the third case's entry."""
    write, count = survey.write_text, 0

    def dying_write(path, text):
        nonlocal count
        if path.parent.name == "fingerprint.partial":
            count += 1
            if count == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        write(path, text)

    survey.write_text = dying_write
    autoseg.fingerprint(folder, root, workers=1)


def _killed(folder, tmp_path):
    """Return the exit code of a process that is killed while it measures."""
    given = folder, tmp_path / "root"
    return Forked(tmp_path / "said.txt", _dies, given, {}).wait(60)[0]


def test_a_killed_run_goes_on_where_it_was_with_the_same_result(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    autoseg.fingerprint(folder, tmp_path / "whole")
    reads.clear()

    assert _killed(folder, tmp_path) == -signal.SIGKILL
    assert not _file(tmp_path / "root").exists()
    autoseg.fingerprint(folder, tmp_path / "root")

    assert sorted(reads) == sorted(
        f"case_{n:02d}{end}.nii.gz" for n in (2, 3, 4) for end in ("", "_0000")
    )
    assert (
        _file(tmp_path / "root").read_bytes() == _file(tmp_path / "whole").read_bytes()
    )
    assert not (_file(tmp_path / "root").parent / "fingerprint.partial").exists()


def test_what_a_killed_run_measured_is_dropped_if_the_file_changed(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    assert _killed(folder, tmp_path) == -signal.SIGKILL
    os.utime(folder / "labelsTr" / "case_00.nii.gz", ns=(1, 1))

    autoseg.fingerprint(folder, tmp_path / "root")

    assert reads["case_00.nii.gz"] == reads["case_00_0000.nii.gz"] == 1
    assert reads["case_01.nii.gz"] == 0


def test_a_damaged_entry_of_the_journal_is_measured_again(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    assert _killed(folder, tmp_path) == -signal.SIGKILL
    partial = tmp_path / "root" / "preprocessed" / "Toy" / "fingerprint.partial"
    (partial / "case_01.json").write_text('{"stamp": ')

    autoseg.fingerprint(folder, tmp_path / "root")

    assert reads["case_01.nii.gz"] == 1
    assert reads["case_00.nii.gz"] == 0


def test_one_bad_case_is_named_and_the_others_are_kept(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=4, test=0)
    bad = folder / "imagesTr" / "case_02_0000.nii.gz"
    good = bad.read_bytes()
    bad.write_bytes(good[:50])

    with pytest.raises(CaseErrors) as caught:
        autoseg.fingerprint(folder, tmp_path / "root")
    bad.write_bytes(good)
    reads.clear()
    autoseg.fingerprint(folder, tmp_path / "root")

    assert list(caught.value.failures) == ["case_02"]
    assert caught.value.finished == 3
    assert sorted(reads) == ["case_02.nii.gz", "case_02_0000.nii.gz"]


def test_a_label_value_that_nobody_named_is_refused_with_the_file(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    labels = toy.labels_of(1)
    labels[0, 0, 0] = 9
    toy.write_nifti(folder / "labelsTr" / "case_01.nii.gz", labels)

    with pytest.raises(CaseErrors, match=r"case_01\.nii\.gz: label value 9"):
        autoseg.fingerprint(folder, tmp_path / "root")


def test_image_and_annotation_on_different_grids_are_refused(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    toy.write_nifti(folder / "labelsTr" / "case_01.nii.gz", toy.labels_of(1)[:-1])

    with pytest.raises(CaseErrors, match=r"case_01.*one grid"):
        autoseg.fingerprint(folder, tmp_path / "root")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_wherever_they_are(tmp_path, bad):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    image = toy.image_of(toy.labels_of(1), 1)
    image[0, 0, :2] = bad  # outside of all classes
    toy.write_nifti(folder / "imagesTr" / "case_01_0000.nii.gz", image)

    with pytest.raises(CaseErrors, match=r"case_01_0000\.nii\.gz has 2 of 5760 values"):
        autoseg.fingerprint(folder, tmp_path / "root")


def test_a_missing_annotation_is_refused_by_name(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    (folder / "labelsTr" / "case_01.nii.gz").unlink()

    with pytest.raises(CaseErrors, match=r"labelsTr/case_01\.nii\.gz"):
        autoseg.fingerprint(folder, tmp_path / "root")


def test_annotations_without_any_class_are_refused(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    for path in (folder / "labelsTr").iterdir():
        toy.write_nifti(path, np.zeros(toy.SHAPE, np.uint8))

    with pytest.raises(DatasetError, match="nothing to learn"):
        autoseg.fingerprint(folder, tmp_path / "root")


def test_one_annotation_without_any_class_is_fine(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3)
    empty = folder / "labelsTr" / "case_01.nii.gz"
    toy.write_nifti(empty, np.zeros(toy.SHAPE, np.uint8))

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert found.annotation["classes"]["one"]["cases_present"] == 2
    assert found.num_cases == 3


def test_no_data_set_is_refused(tmp_path):
    with pytest.raises(UsageError, match="No data set 'nothing'"):
        autoseg.fingerprint("nothing", tmp_path)


def test_neither_torch_nor_a_plotting_library_is_loaded(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=2)
    code = (
        "import sys, autoseg; autoseg.fingerprint(*sys.argv[1:]);"
        "print({'torch', 'matplotlib', 'skimage'} & set(sys.modules))"
    )

    out = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "root")],
        capture_output=True,
        text=True,
    )

    assert out.stdout.strip() == "set()", out.stderr


def test_hippocampus_has_the_numbers_that_nnunet_finds(real_data, tmp_path):
    folder = real_data / "Dataset004_Hippocampus"

    found = autoseg.fingerprint(folder, tmp_path)

    assert found.num_cases == 217
    assert found.spacings == ((1.0, 1.0, 1.0),) * 217
    assert np.median(found.shapes, axis=0).tolist() == [36, 50, 35]
    assert found.relative_size_after_crop == 1.0
    # nnU-Net v2.8.1, nnUNetv2_extract_fingerprint: from a sample of 1e8 voxels
    intensity = found.intensities[0]
    assert intensity.mean == pytest.approx(24437, rel=0.01)
    assert intensity.std == pytest.approx(63210.1, rel=0.01)
    assert intensity.median == pytest.approx(369.359, rel=0.01)
    assert (intensity.min, intensity.max) == (0, pytest.approx(486420, abs=1))
    assert intensity.percentile_00_5 == pytest.approx(29, abs=0.5)
    assert intensity.percentile_99_5 == pytest.approx(281726, rel=0.01)


def test_several_at_once_wait_for_each_other(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=4, test=0, shape=(6, 12, 12))
    root = tmp_path / "root"
    words = ["fingerprint", str(folder), "--root", str(root), "--overwrite"]

    running = [Forked(tmp_path / f"said_{n}", main, (words,), {}) for n in range(3)]
    ends = [one.wait(120) for one in running]

    assert [code for code, _ in ends] == [0, 0, 0], ends
    assert Fingerprint.load(_file(root)).num_cases == 4
    assert not list(_file(root).parent.glob("fingerprint*.lock*"))
    assert not list(_file(root).parent.glob("fingerprint.partial*"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_measured_while_another_process_does_so(
    tmp_path, reads, overwrite, monkeypatch
):
    monkeypatch.setattr("autoseg.lock.PAUSE", 0.01)
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(6, 12, 12))
    place = _file(tmp_path / "root")
    place.parent.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        with locked(place.with_suffix(".lock")):
            waiting = pool.submit(
                autoseg.fingerprint, folder, tmp_path / "root", overwrite=overwrite
            )
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            assert not reads
        assert waiting.result(timeout=60).num_cases == 2


def test_who_waits_takes_what_the_first_one_made(tmp_path, reads, monkeypatch):
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0)
    first = []

    @contextlib.contextmanager
    def after_another(path, stage):
        if not first:
            first.append(True)
            autoseg.fingerprint(folder, tmp_path / "root")
        yield

    monkeypatch.setattr("autoseg.fingerprint.stage.waiting_for", after_another)

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert found.num_cases == 3
    assert set(reads.values()) == {1}


def test_parts_that_meet_in_any_order_write_what_one_process_does(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    whole = autoseg.fingerprint(folder, tmp_path / "one")
    parts = tmp_path / "parts"

    for part_id in (2, 0):
        with pytest.raises(PartDone, match="left to other parts"):
            autoseg.fingerprint(folder, parts, num_parts=3, part_id=part_id)
        assert not _file(parts).exists()
    made = autoseg.fingerprint(folder, parts, num_parts=3, part_id=1)

    assert made == whole
    for name in ("fingerprint.json", "fingerprint.sources.json"):
        there = [
            _file(root).with_name(name).read_bytes()
            for root in (tmp_path / "one", parts)
        ]
        assert there[0] == there[1]
    assert not (_file(parts).parent / "fingerprint.partial").exists()
    assert autoseg.fingerprint(folder, parts, num_parts=3, part_id=0) == whole


def test_a_part_reads_its_own_cases_and_the_last_one_no_others_again(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0)

    with pytest.raises(PartDone):
        autoseg.fingerprint(folder, tmp_path / "root", num_parts=2, part_id=0)
    assert sorted(n for n in reads if "_0000" in n) == [
        "case_00_0000.nii.gz",
        "case_02_0000.nii.gz",
    ]
    autoseg.fingerprint(folder, tmp_path / "root", num_parts=2, part_id=1)

    assert set(reads.values()) == {1}


def test_a_case_that_fails_in_one_part_keeps_the_fingerprint_open(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=3, test=0)
    path = folder / "imagesTr" / "case_01_0000.nii.gz"
    good = path.read_bytes()
    path.write_bytes(b"no image")
    root = tmp_path / "root"

    with pytest.raises(CaseErrors, match="case_01"):
        autoseg.fingerprint(folder, root, num_parts=2, part_id=1)
    with pytest.raises(PartDone):
        autoseg.fingerprint(folder, root, num_parts=2, part_id=0)
    path.write_bytes(good)

    assert autoseg.fingerprint(folder, root, num_parts=2, part_id=1).num_cases == 3


def test_files_that_were_copied_again_and_again_are_known_each_time(tmp_path, reads):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0)
    autoseg.fingerprint(folder, tmp_path / "root")
    once = Counter(reads)

    for time in (1, 2):  # other times, the same content
        for path in (folder / "imagesTr").iterdir():
            os.utime(path, (time, time))
        autoseg.fingerprint(folder, tmp_path / "root")

    assert reads == once


def test_sides_of_classes_are_counted_as_images_will_be_turned(tmp_path):
    """Two classes one after the other along x; every other map is stored z, x, y."""
    folder = toy.volumes(tmp_path / "Toy", cases=6, test=0)
    alike = autoseg.fingerprint(folder, tmp_path / "a").annotation["sides"]
    for number in (1, 3):
        for part, end in (("imagesTr", "_0000"), ("labelsTr", "")):
            path = folder / part / f"case_{number:02d}{end}.nii.gz"
            array = np.transpose(np.asarray(nibabel.load(path).dataobj))
            other = array.transpose(1, 2, 0)[:, ::-1]  # slowest y, then x backwards
            toy.write_nifti(path, other, (1.0, 0.75, 2.0), axes="SRP")

    found = autoseg.fingerprint(folder, tmp_path / "b")

    assert found.orientations == {"LPS": 4, "SRP": 2}
    assert alike["one"][2] == [6, 0, 0] and alike["two"][2] == [0, 0, 6]
    assert found.annotation["sides"] == alike
