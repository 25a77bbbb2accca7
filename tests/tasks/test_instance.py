"""The instance task."""

import numpy as np
import pytest

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask


def _dataset(tmp_path, **raw):
    return Dataset(
        name="toy",
        folder=tmp_path,
        task="instance",
        channel_names=("a",),
        image_ending=".tif",
        annotation_ending=".tif",
        raw=raw,
    )


def test_options_leave_the_background_out_and_know_stuff(tmp_path):
    options = InstanceTask.from_dataset(
        _dataset(
            tmp_path,
            labels={"background": 0, "cell": 1, "tissue": 4},
            stuff=["tissue"],
        )
    )

    assert options == {"labels": {"cell": 1}, "stuff": {"tissue": 4}}


def test_every_fault_of_labels_is_named_at_once(tmp_path):
    with pytest.raises(DatasetError) as error:
        InstanceTask.from_dataset(
            _dataset(tmp_path, labels={"a": 0, "b": 2, "c": 2}, stuff=["d"])
        )

    assert "'a'" in str(error.value)
    assert "twice" in str(error.value)
    assert "names d" in str(error.value)


def test_ignore_is_no_class_of_objects(tmp_path):
    labels = {"background": 0, "cell": 1, "tissue": 2, "ignore": -1}

    options = InstanceTask.from_dataset(
        _dataset(tmp_path, labels=labels, stuff=["tissue"])
    )

    task = InstanceTask(**options)
    assert options["ignore"] == task.ignore == -1
    assert task.class_names == {1: "cell", 2: "tissue"}


@pytest.mark.parametrize("value", [0, 1, True, "2"])
def test_ignore_needs_a_number_of_its_own(tmp_path, value):
    labels = {"cell": 1, "ignore": value}

    with pytest.raises(DatasetError, match="gives `ignore` the number"):
        InstanceTask.from_dataset(_dataset(tmp_path, labels=labels))


def test_the_stored_map_tells_ids_and_classes_apart():
    task = InstanceTask(labels={"cell": 1, "debris": 7})
    instances = Instances(np.array([[0, 9, 9], [50_000, 50_000, 12]], np.int32), {9: 7})

    stored = task.to_map(task.read(instances))

    # ids 9, 12 and 50,000 are the first, second and third; debris is the second class
    assert stored.tolist() == [[0, 2, 2], [5, 5, 3]]
    again = task.from_map(stored)
    assert dict(again.classes) == {2: 7, 3: 1, 5: 1}


def test_a_class_that_dataset_json_does_not_know_is_refused():
    task = InstanceTask(labels={"cell": 1})

    with pytest.raises(DatasetError, match="instance 3 has class 2"):
        task.read(Instances(np.array([3], np.int32), {3: 2}))


def test_negative_ids_are_taken_for_ids_that_wrapped():
    with pytest.raises(DatasetError, match="too small"):
        InstanceTask(labels={"cell": 1}).read(np.array([-5, 1], np.int16))


def test_files_are_16_bit_until_ids_need_more():
    task = InstanceTask(labels={"cell": 1})

    assert task.write(Instances(np.array([65_535], np.int32))).dtype == np.uint16
    assert task.write(Instances(np.array([65_536], np.int32))).dtype == np.uint32


def test_stuff_is_one_segment_of_what_no_object_covers():
    task = InstanceTask(
        labels={"cell": 1}, stuff={"tissue": 2}, representation={"name": "border_core"}
    )
    labels = np.zeros((12, 12), np.int32)
    labels[:, 6:] = 1
    labels[3:8, 7:11] = 2
    annotation = task.read(Instances(labels, {1: 2, 2: 1}))

    found = task.decode(task.encode(annotation, (1.0, 1.0)), (1.0, 1.0))

    by_class = {found.class_of(i): (found.labels == i).sum() for i in found.ids}
    assert by_class == {1: 20, 2: 72 - 20}


def _of_three_kinds():
    """A task with class numbers out of order, and cells and debris on tissue."""
    task = InstanceTask(labels={"cell": 5, "debris": 2}, stuff={"tissue": 3})
    labels = np.zeros((40, 60), np.int32)
    labels[:, 20:] = 9
    labels[4:14, 4:14] = 1  # outside of tissue
    labels[20:30, 25:35] = 2  # touches the next
    labels[20:30, 35:45] = 3
    labels[4:9, 50:55] = 4
    kinds = {1: 5, 2: 5, 3: 2, 4: 2, 9: 3}
    return task, task.read(Instances(labels, kinds))


def test_perfect_maps_of_a_network_give_every_instance_its_class():
    task, annotation = _of_three_kinds()

    found = task.decode(task.encode(annotation, (1.0, 1.0)), (1.0, 1.0))

    for i in annotation.ids:
        inside = found.labels[annotation.labels == i]
        assert (inside == inside[0]).all()
        assert found.class_of(int(inside[0])) == annotation.class_of(i)
    assert len(found.ids) == 5


def test_a_class_is_that_of_most_probability_also_where_background_is_likelier():
    task, annotation = _of_three_kinds()
    outputs = task.encode(annotation, (1.0, 1.0))
    unsure = outputs["classes"] * 0.2
    unsure[0] += 0.5  # as a network at first: everything may be background
    unsure[3] += 0.3  # ... or tissue, which is no object

    found = task.decode(outputs | {"classes": unsure}, (1.0, 1.0))

    for i in (1, 2, 3, 4):
        inside = int(found.labels[annotation.labels == i][0])
        assert found.class_of(inside) == annotation.class_of(i)


def test_what_is_learned_of_classes_is_what_decoding_reads():
    task, annotation = _of_three_kinds()

    learned = task.targets(task.to_map(annotation), (1.0, 1.0))["classes"]

    wanted = task.encode(annotation, (1.0, 1.0))["classes"].argmax(0)
    assert np.array_equal(learned, wanted)
    assert np.unique(learned).tolist() == [0, 1, 2, 3]
    assert (learned[annotation.labels == 4] == 2).all()  # debris: the second of labels


def test_a_network_of_planes_joins_the_slices_of_an_object():
    task = InstanceTask(
        labels={"cell": 1}, representation={"name": "border_core"}, axes=3
    ).for_axes(2)
    plane = np.zeros((10, 20), np.int32)
    plane[2:8, 2:8] = 1
    plane[2:8, 12:18] = 2
    one = task.representation.encode(plane, (1.0, 1.0))["border_core"]
    empty = np.stack([np.ones((10, 20)), *np.zeros((2, 10, 20))]).astype(np.float32)
    stack = np.stack([one, one, empty, one], axis=1)

    found = task.decode({"border_core": stack}, (2.0, 1.0, 1.0))

    assert len(found.ids) == 4  # two objects, and two more behind the gap
    assert (found.labels[0] == found.labels[1]).all()


def test_fingerprint_numbers_are_those_of_a_disk():
    places = np.indices((41, 41)) - 20
    disk = (np.square(places).sum(0) <= 15.2**2).astype(np.int32)
    task = InstanceTask(labels={"cell": 1})

    found = task.measure(task.read(disk), (0.5, 0.5))

    assert found["objects"] == 1
    assert found["touching"] == 0
    assert found["diameter"][0] == pytest.approx(15.2, rel=0.02)
    assert found["shortest_axis"][0] == pytest.approx(15.2, rel=0.02)
    assert found["inner_radius"][0] == pytest.approx(7.7, rel=0.05)
    assert found["solidity"][0] > 0.9
    assert found["star"][0] == 1.0


def test_touching_counts_instances_that_meet_at_a_corner():
    labels = np.zeros((8, 8), np.int32)
    labels[:4, :4], labels[4:, 4:], labels[6:, :2] = 1, 2, 3
    task = InstanceTask(labels={"cell": 1})

    measured = task.measure(task.read(labels), (1.0, 1.0))

    assert measured["touching"] == 2
    assert task.pool([measured])["touching"] == pytest.approx(2 / 3)
