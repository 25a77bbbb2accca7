"""Folders as users have them, read into cases."""

import json

import pytest

from autoseg.datasets.read import load_dataset, read_dataset
from autoseg.errors import DatasetError

DESCRIPTION = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "organ": 1},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}


def _folder(folder, files=(), **changes):
    """Make a data set folder of empty files: none of them is opened."""
    description = {**DESCRIPTION, **changes}
    description = {k: v for k, v in description.items() if v is not None}
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(description))
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def _names(paths):
    return [path.name for path in paths]


def test_the_layout_of_nnunet(tmp_path):
    folder = _folder(
        tmp_path / "Dataset007_Toy",
        [
            "imagesTr/b_0000.nii.gz",
            "imagesTr/b_0001.nii.gz",
            "imagesTr/a_0001.nii.gz",
            "imagesTr/a_0000.nii.gz",
            "imagesTs/c_0000.nii.gz",
            "imagesTs/c_0001.nii.gz",
            "labelsTr/a.nii.gz",
            "labelsTr/b.nii.gz",
            "imagesTr/.a_0000.nii.gz",
            "imagesTr/notes.txt",
        ],
        channel_names={"1": "T2", "0": "T1"},
    )

    dataset = load_dataset(folder)

    assert dataset.name == "Dataset007_Toy"
    assert dataset.task == "semantic"
    assert dataset.channel_names == ("T1", "T2")
    assert [case.id for case in dataset.training] == ["a", "b"]
    assert _names(dataset.training[0].images) == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert dataset.training[0].annotation == folder / "labelsTr" / "a.nii.gz"
    assert [case.id for case in dataset.test] == ["c"]
    assert dataset.test[0].annotation is None
    assert (dataset.image_ending, dataset.annotation_ending) == (".nii.gz", ".nii.gz")


def test_any_name_of_a_folder_is_a_name_of_a_data_set(tmp_path):
    folder = _folder(tmp_path / "my liver scans", ["imagesTr/a_0000.nii.gz"])

    assert load_dataset(folder).name == "my liver scans"


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"])
    monkeypatch.chdir(tmp_path)

    assert load_dataset("toy").folder == tmp_path / "toy"
    assert load_dataset("toy/imagesTr/..").name == "toy"


def test_the_key_dataset_lists_cases_anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SCANS", str(tmp_path / "store"))
    listed = {
        "b": {"images": ["../else/b0.mha", "$SCANS/b1.mha"], "label": "l/b.png"},
        "a": {"images": ["x.mha", "y.mha"], "label": "l/a.png"},
    }
    folder = _folder(
        tmp_path / "toy",
        ["imagesTr/ignored_0000.nii.gz"],
        dataset=listed,
        channel_names={"0": "T1", "1": "T2"},
    )

    dataset = load_dataset(folder)

    assert [case.id for case in dataset.training] == ["a", "b"]
    assert dataset.training[1].images == (
        tmp_path / "else" / "b0.mha",
        tmp_path / "store" / "b1.mha",
    )
    assert dataset.training[1].annotation == folder / "l" / "b.png"
    assert (dataset.image_ending, dataset.annotation_ending) == (".mha", ".png")


def test_images_and_annotations_may_have_different_endings(tmp_path):
    files = ["imagesTr/a.jpg", "imagesTr/b.jpg", "labelsTr/a.png", "labelsTr/b.png"]

    for number, changes in enumerate(
        [
            {"file_ending": ".jpg", "label_ending": ".png"},
            {"file_ending": "jpg", "annotation_ending": "png"},
            {"file_ending": ".png"},
            {"file_ending": ".jpg"},
            {"file_ending": None},
        ]
    ):
        dataset = load_dataset(_folder(tmp_path / str(number), files, **changes))

        assert (dataset.image_ending, dataset.annotation_ending) == (".jpg", ".png")
        assert [case.annotation.name for case in dataset.training] == ["a.png", "b.png"]


def test_points_are_found_by_their_ending(tmp_path):
    files = ["imagesTr/a_0000.jpg", "labelsTr/a.json"]
    more = {"task": "landmark", "landmarks": ["tip"]}
    folder = _folder(tmp_path / "toy", files, file_ending=None, **more)

    assert load_dataset(folder).annotation_ending == ".json"


def test_without_a_file_ending_images_of_several_kinds_stand_together(tmp_path):
    files = ["imagesTr/a.png", "imagesTr/b.TIF", "imagesTr/c.png", "labelsTr/a.png"]

    dataset = load_dataset(_folder(tmp_path / "toy", files, file_ending=None))

    assert [_names(c.images)[0] for c in dataset.training] == [
        "a.png",
        "b.TIF",
        "c.png",
    ]
    assert dataset.image_ending == ".png"


@pytest.mark.parametrize("name", ["a.png", "a_0000.png"])
def test_one_file_may_hold_all_channels(tmp_path, name):
    files = [f"imagesTr/{name}", "labelsTr/a.png"]
    colors = {"0": "red", "1": "green", "2": "blue"}

    dataset = load_dataset(
        _folder(tmp_path / "toy", files, file_ending=".png", channel_names=colors)
    )

    (case,) = dataset.training
    assert (case.id, _names(case.images)) == ("a", [name])


def test_a_number_at_the_end_of_an_id_is_no_channel_where_annotations_say_so(tmp_path):
    files = [
        "imagesTr/scan_0001.nii.gz",
        "imagesTr/scan_0002.nii.gz",
        "labelsTr/scan_0001.nii.gz",
        "labelsTr/scan_0002.nii.gz",
        "imagesTs/scan_0003.nii.gz",
    ]

    dataset = load_dataset(_folder(tmp_path / "toy", files))

    assert [case.id for case in dataset.training] == ["scan_0001", "scan_0002"]
    assert [case.id for case in dataset.test] == ["scan_0003"]


def test_a_channel_that_is_missing_is_listed_so_that_reading_names_it(tmp_path):
    files = ["imagesTr/a_0000.nii.gz", "imagesTr/a_0002.nii.gz"]
    names = {"0": "T1", "1": "T2", "2": "FLAIR"}

    dataset = load_dataset(_folder(tmp_path / "toy", files, channel_names=names))

    assert _names(dataset.training[0].images) == [f"a_000{i}.nii.gz" for i in range(3)]


def test_two_files_for_one_image_are_both_listed(tmp_path):
    files = ["imagesTr/a.png", "imagesTr/a_0000.jpg"]

    dataset = load_dataset(_folder(tmp_path / "toy", files, file_ending=None))

    assert len(dataset.training[0].images) == 2


def test_an_annotation_that_is_missing_has_the_path_where_it_belongs(tmp_path):
    folder = _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"])

    assert load_dataset(folder).training[0].annotation == folder / "labelsTr/a.nii.gz"


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        ("SimpleITKIO", "itk"),
        ("SimpleITKIOWithReorient", "itk_ras"),
        ("NibabelIO", "nibabel"),
        ("NibabelIOWithReorient", "nibabel_ras"),
        ("NaturalImage2DIO", "natural"),
        ("Tiff3DIO", "tiff_plain"),
        ("None", None),
    ],
)
def test_readers_of_nnunet_name_formats(tmp_path, reader, name):
    folder = _folder(
        tmp_path / "toy",
        ["imagesTr/a_0000.nii.gz"],
        overwrite_image_reader_writer=reader,
    )

    assert load_dataset(folder).format == name


def test_spacing_and_unit(tmp_path):
    files = ["imagesTr/a_0000.tif"]
    folder = _folder(tmp_path / "toy", files, spacing=[2, 0.5, 0.5], unit="µm")

    dataset = load_dataset(folder)

    assert (dataset.spacing, dataset.unit) == ((2.0, 0.5, 0.5), "um")


@pytest.mark.parametrize(
    "groups",
    [r"(patient\d+)_", {"patient1_a": "patient1", "patient1_b": "patient1"}],
)
def test_cases_have_groups(tmp_path, groups):
    ids = ["patient1_a", "patient1_b", "volunteer"]
    files = [f"imagesTr/{case}_0000.nii.gz" for case in ids]

    dataset = load_dataset(_folder(tmp_path / "toy", files, groups=groups))

    assert [c.group for c in dataset.training] == ["patient1", "patient1", None]


@pytest.mark.parametrize("how", ["inline", "named", "splits.json", "splits_final.json"])
def test_splits_are_given_inline_or_by_a_file(tmp_path, how):
    splits = [{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}]
    given = {"inline": splits, "named": "mine.json"}.get(how)
    folder = _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"], splits=given)
    if how != "inline":
        name = "mine.json" if how == "named" else how
        (folder / name).write_text(json.dumps(splits))

    assert load_dataset(folder).splits == ((("a",), ("b",)), (("b",), ("a",)))


def test_without_splits_there_are_none(tmp_path):
    folder = _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"])

    assert load_dataset(folder).splits is None


def test_keys_of_other_tools_stay_in_raw(tmp_path):
    folder = _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"], license="CC0")

    assert load_dataset(folder).raw["license"] == "CC0"


def test_the_decathlon_s_dataset_json_is_understood(tmp_path):
    # As published: older `modality`, labels the other way round, no file_ending.
    folder = _folder(
        tmp_path / "Task04",
        ["imagesTr/h_001.nii.gz", "labelsTr/h_001.nii.gz", "imagesTs/h_002.nii.gz"],
        channel_names=None,
        modality={"0": "MRI"},
        labels={"0": "background", "1": "Anterior"},
        file_ending=None,
        training=[{"image": "./imagesTr/h_001.nii.gz"}],
    )

    dataset = load_dataset(folder)

    assert dataset.channel_names == ("MRI",)
    assert [case.id for case in dataset.training] == ["h_001"]
    assert [case.id for case in dataset.test] == ["h_002"]


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    folder = _folder(
        tmp_path / "toy",
        ["imagesTr/a_0000.nii.gz"],
        channel_names={"1": "T1", "2": "T2"},
        labels={"background": 0, "organ": "one"},
        spacing=[1, -1],
        unit="inch",
        overwrite_image_reader_writer="MagicIO",
        groups="patient",
        splits="gone.json",
        file_ending=7,
    )

    with pytest.raises(DatasetError) as raised:
        load_dataset(folder)

    text = str(raised.value)
    assert text.startswith(str(folder / "dataset.json"))
    for word in (
        "`channel_names`",
        "label 'organ'",
        "`spacing`",
        "`unit`",
        "MagicIO",
        "`groups`",
        "gone.json does not exist",
        "`file_ending`",
    ):
        assert word in text, word


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"channel_names": None}, "`channel_names` must name"),
        ({"channel_names": ["T1", None]}, "channel 1"),
        ({"labels": None}, "`labels`"),
        ({"dataset": ["a"]}, "`dataset` must map"),
        ({"dataset": {"../a": {"images": ["x.mha"]}}}, "can be no path"),
        ({"dataset": {"a\\b": {"images": ["x.mha"]}}}, "can be no path"),
        ({"dataset": {" ": {"images": ["x.mha"]}}}, "can be no path and not empty"),
        ({"dataset": {"..": {"images": ["x.mha"]}}}, "can be no path"),
        ({"dataset": {"a": {"images": []}}}, "`dataset` has 'a'"),
        ({"dataset": {"a": {"images": ["x.mha"]}}}, "`dataset` has 'a'"),
        ({"groups": "(a)(b)"}, "2 groups"),
        ({"groups": "("}, "`groups`"),
        ({"groups": 5}, "`groups`"),
        ({"splits": [{"train": ["a"]}]}, "`splits` must be a list"),
        ({"splits": []}, "`splits` must be a list"),
        ({"format": "itkk"}, "`format` is 'itkk'"),
        ({"task": 5}, "`task`"),
        ({"spacing": [1]}, "`spacing`"),
        ({"spacing": ["1", "1"]}, "`spacing`"),
    ],
)
def test_each_key_that_is_wrong_is_named(tmp_path, change, word):
    folder = _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"], **change)

    with pytest.raises(DatasetError, match="needs mending") as raised:
        load_dataset(folder)

    assert word in str(raised.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"{", "line 1"), (b"[]", "not an object"), (b"\xff\xfe", "UTF-8")],
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path, content, word):
    (tmp_path / "dataset.json").write_bytes(content)

    with pytest.raises(DatasetError, match=word):
        load_dataset(tmp_path)


def test_a_folder_without_dataset_json_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"dataset\.json does not exist"):
        load_dataset(tmp_path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    folder = _folder(tmp_path / "toy", ["imagesTr/a_0000.nii.gz"])
    path = folder / "dataset.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert load_dataset(folder).training


def test_a_folder_without_images_is_refused_only_if_no_ending_is_known(tmp_path):
    assert load_dataset(_folder(tmp_path / "a")).training == ()
    with pytest.raises(DatasetError, match="imagesTr holds no image"):
        load_dataset(_folder(tmp_path / "b", file_ending=None))


def test_what_can_be_understood_is_there_beside_the_problems(tmp_path):
    folder = _folder(
        tmp_path / "toy", ["imagesTr/a_0000.nii.gz"], spacing="wide", unit="mm"
    )

    dataset, problems = read_dataset(folder)

    assert len(problems) == 1
    assert [case.id for case in dataset.training] == ["a"]


@pytest.mark.parametrize(
    ("name", "cases", "ending"),
    [
        ("Dataset004_Hippocampus", 217, ".nii.gz"),
        ("Dataset015_ISBI2015Ceph", 110, ".json"),
        ("Dataset018_DSB2018", 282, ".png"),
        ("Dataset104_HippocampusPoints", 217, ".json"),
    ],
)
def test_real_data_sets_are_read(real_data, name, cases, ending):
    dataset = load_dataset(real_data / name)

    assert len(dataset.training) == cases
    assert dataset.annotation_ending == ending
    assert all(
        c.images[0].is_file() and c.annotation.is_file() for c in dataset.training
    )


def test_keys_that_stand_twice_are_told_for_json_keeps_the_last(tmp_path):
    folder = _folder(tmp_path / "Toy", ["imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz"])
    text = (folder / "dataset.json").read_text()
    twice = text.replace('"organ": 1', '"organ": 1, "organ": 2')
    (folder / "dataset.json").write_text(twice)

    with pytest.raises(DatasetError, match="`organ` stands there twice"):
        load_dataset(folder)
