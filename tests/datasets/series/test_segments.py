"""Segments of 3D Slicer's files: names and codes say which label is meant.

Files are written line by line as Slicer 5 writes them (slicer.readthedocs.io,
"Segmentations"); what has to come back follows from where the boxes were drawn.
"""

import json

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.errors import FormatError
from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.check.stage import examine
from autoseg.formats.base import find_format
from autoseg.formats.names import read_segments, segments_of
from autoseg.spec.image import Geometry
from autoseg.tasks import choose_task, make_task

SHAPE = (4, 5, 6)
LIVER = (slice(0, 3), slice(1, 4), slice(1, 5))  # 3 x 3 x 4 = 36 voxels
TUMOR = (slice(1, 2), slice(2, 5), slice(2, 4))  # 1 x 3 x 2 = 6, of which 4 in liver
SCT = "SCT^123037004^Anatomical Structure"


def box(*places, values=(1, 2)):
    """Boxes over one another, each with its value."""
    found = np.zeros(SHAPE, np.uint8)
    for place, value in zip(places, values, strict=False):
        found[place] = value
    return found


def write(path, layers, *segments):
    """Write layers (L, Z, Y, X), or one (Z, Y, X), and a dict for each segment."""
    layers = np.asarray(layers, np.uint8)
    several = layers.ndim == 4
    sizes = [*([len(layers)] if several else []), *SHAPE[::-1]]
    lines = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {'none ' * several}(1,0,0) (0,1,0) (0,0,2)",
        f"kinds: {'list ' * several}domain domain domain",
        "encoding: raw",
        "space origin: (0,0,0)",
    ]
    for number, segment in enumerate(segments):
        lines += [f"Segment{number}_{key}:={value}" for key, value in segment.items()]
    data = np.moveaxis(layers, 0, -1) if several else layers
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + data.tobytes())
    return path


def segment(name, value, layer=0, **more):
    return {"Name": name, "LabelValue": value, "Layer": layer, **more}


def data_set(folder, labels=None, **description):
    """A data set with one image, ``a``; its annotation is to be written."""
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    path = folder / "imagesTr" / "a_0000.nrrd"
    geometry = Geometry(shape=SHAPE, spacing=(2.0, 1.0, 1.0))
    image = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    find_format(path).write_image(path, image, geometry)
    labels = labels or {"background": 0, "liver": 1, "tumor": 2}
    described = {"channel_names": {"0": "CT"}, "file_ending": ".nrrd", **description}
    (folder / "dataset.json").write_text(json.dumps({**described, "labels": labels}))
    return folder / "labelsTr" / "a.seg.nrrd"


def read(folder, lazily=False):
    dataset = load_dataset(folder)
    task = make_task(choose_task(dataset))
    (case,) = dataset.training
    found, _ = read_annotation(
        case.annotation, dataset, task, case_id=case.id, lazily=lazily
    )
    return np.asarray(found)


def told(folder):
    return [
        (p.severity, p.found)
        for p in examine(folder).problems
        if "eg.nrrd" in p.file.name
    ]


@pytest.mark.parametrize("lazily", [False, True])
def test_names_count_where_values_differ(tmp_path, lazily):
    path = data_set(tmp_path)
    exchanged = box(LIVER, TUMOR, values=(2, 1))
    write(path, exchanged, segment("Tumor", 1), segment("LIVER", 2))

    np.testing.assert_array_equal(read(tmp_path, lazily), box(LIVER, TUMOR))
    assert told(tmp_path) == [
        ("note", "It calls the value 1 'Tumor'; in dataset.json 'tumor' is 2."),
        ("note", "It calls the value 2 'LIVER'; in dataset.json 'liver' is 1."),
    ]


def test_codes_count_where_names_say_nothing(tmp_path):
    path = data_set(tmp_path, codes={"liver": ["SCT", "10200004", "Liver"]})
    tags = f"TerminologyEntry:list~{SCT}~SCT^10200004^Liver~^^~Anatomic codes~^^~^^|"
    write(
        path,
        box(LIVER, TUMOR, values=(7, 5)),
        segment("Leber", 7, Tags=tags),
        segment("tumor", 5),
    )

    np.testing.assert_array_equal(read(tmp_path), box(LIVER, TUMOR))


def test_other_names_of_labels_are_those_of_dataset_json(tmp_path):
    path = data_set(tmp_path, dicom={"segments": {"GTV-1": "tumor"}})
    write(path, box(LIVER, TUMOR, values=(2, 1)), segment("GTV 1", 1), segment("x", 2))

    assert np.unique(read(tmp_path)).tolist() == [0, 2]
    assert (
        "note",
        "Its segments x are in no label of dataset.json, and are left out.",
    ) in told(tmp_path)


@pytest.mark.parametrize("names", [("Segment_1", "Segment_2"), ("hepar", "lesion")])
def test_values_count_where_no_label_is_called_so(tmp_path, names):
    path = data_set(tmp_path)
    write(path, box(LIVER, TUMOR), *(segment(n, v) for v, n in enumerate(names, 1)))

    np.testing.assert_array_equal(read(tmp_path), box(LIVER, TUMOR))


def test_layers_are_read_with_the_value_of_each_layer(tmp_path):
    path = data_set(tmp_path)
    layers = [box(TUMOR, values=(1,)), box(LIVER, values=(1,))]
    write(path, layers, segment("tumor", 1, 0), segment("liver", 1, 1))

    np.testing.assert_array_equal(read(tmp_path), box(LIVER, TUMOR))
    assert (
        "note",
        "4 voxels are in several of its segments that exclude each other; the larger "
        "value of dataset.json counts there.",
    ) in told(tmp_path)


def test_layers_of_old_files_are_one_for_each_segment(tmp_path):
    path = data_set(tmp_path)
    layers = [box(TUMOR, values=(1,)), box(LIVER, values=(1,))]
    write(path, layers, {"Name": "tumor"}, {"Name": "liver"})

    np.testing.assert_array_equal(read(tmp_path), box(LIVER, TUMOR))


def test_overlapping_segments_are_regions(tmp_path):
    labels = {"background": 0, "whole": [3, 5, 9], "core": [5, 9], "active": 9}
    path = data_set(tmp_path, labels, regions_class_order=[3, 5, 9])
    inner = (slice(1, 2), slice(2, 4), slice(2, 4))
    layers = [box(inner, values=(1,)), box(LIVER, values=(1,)), box(TUMOR, values=(1,))]
    write(
        path,
        layers,
        segment("core", 1, 0),
        segment("whole", 1, 1),
        segment("active", 1, 2),
    )
    wanted = box(LIVER, inner, values=(3, 5))
    wanted[TUMOR] = 9  # also where nobody drew the regions that it is part of

    dataset = load_dataset(tmp_path)
    task = make_task(choose_task(dataset))
    np.testing.assert_array_equal(task.write(read(tmp_path)), wanted)


def test_without_a_data_set_layers_are_numbered(tmp_path):
    layers = [box(TUMOR, values=(1,)), box(LIVER, values=(1,))]
    path = tmp_path / "a.seg.nrrd"
    write(path, layers, segment("liver", 1, 1), segment("tumor", 1, 0))

    found, geometry = find_format(path).read_labels(path)

    np.testing.assert_array_equal(found, box(LIVER, TUMOR))
    assert geometry.spacing == (2.0, 1.0, 1.0)
    assert segments_of(path) == {"liver": 1, "tumor": 2}


def test_colors_and_codes_are_read(tmp_path):
    tags = f"TerminologyEntry:list~{SCT}~SCT^10200004^Liver~^^~Anatomic codes~^^~^^|"
    path = tmp_path / "a.seg.nrrd"
    write(path, box(LIVER), segment("liver", 1, Color="1 0.2 0", Tags=tags))

    (found,) = read_segments(path)

    assert found.look.color == (255, 51, 0)
    assert found.look.kind == ("SCT", "10200004", "Liver")
    assert found.look.category == ("SCT", "123037004", "Anatomical Structure")
    assert found.look.region is None


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([segment("liver", 2), segment("tumor", 3)], "no segment in its header has"),
        ([segment("liver", 1), segment("tumor", 1)], "to another segment"),
        ([segment("liver", 2, 0), segment("tumor", 1, 3)], "layer 3, and there are 1"),
        ([segment("x", 1, 0), segment("y", 1, 0)], "no label of the data set"),
    ],
    ids=["unnamed value", "two of one value", "no such layer", "no name"],
)
def test_what_means_nothing_is_an_error(tmp_path, segments, message):
    path = data_set(tmp_path)
    write(path, box(LIVER, TUMOR), *segments)

    with pytest.raises(FormatError, match=message):
        read(tmp_path)


def test_predictions_are_scored_by_their_names(tmp_path):
    for place, values in (("truth", (1, 2)), ("found", (2, 1))):
        (tmp_path / place).mkdir()
        named = zip(("liver", "tumor"), values, strict=True)
        write(
            tmp_path / place / "a.seg.nrrd",
            box(LIVER, TUMOR, values=values),
            *(segment(name, value) for name, value in named),
        )

    summary = evaluate(
        tmp_path / "found",
        annotations=tmp_path / "truth",
        labels={"liver": 1, "tumor": 2},
        output=tmp_path / "summary",
    )

    assert summary.cases["a"]["liver"]["dice"] == 1.0
    assert summary.cases["a"]["tumor"]["dice"] == 1.0


@pytest.mark.parametrize("values", [(1, 2, 3), (2, 1, 3)], ids=["same", "exchanged"])
def test_a_structure_that_nobody_learns_is_left_out_whatever_the_values(
    tmp_path, values
):
    data_set(tmp_path)
    labels = box(LIVER, TUMOR, values=values)
    labels[3, 0, :2] = 3  # of the vessel
    names = zip(("liver", "tumor", "vessel"), values, strict=True)
    write(tmp_path / "labelsTr/a.seg.nrrd", labels, *(segment(*one) for one in names))

    assert np.array_equal(read(tmp_path), box(LIVER, TUMOR))
    left = "Its segments vessel are in no label of dataset.json, and are left out."
    found = {p.found: p.severity for p in examine(tmp_path).problems}
    assert found[left] == "note"


def test_a_segment_left_out_where_a_label_is_lacking_is_a_warning(tmp_path):
    data_set(tmp_path)
    labels = box(LIVER, TUMOR, values=(2, 1))
    segments = segment("livver", 2), segment("tumor", 1)
    write(tmp_path / "labelsTr/a.seg.nrrd", labels, *segments)

    warned = [p.found for p in examine(tmp_path).problems if p.severity == "warning"]

    said = "no segment called liver: is one of those left out it"
    assert any(said in text for text in warned)
