"""What autoseg did not write, it does not replace."""

import json
import os
import zipfile

import pytest

import autoseg
from autoseg.errors import UsageError
from autoseg.outputs import JOURNAL, adopt, companions, is_ours, refuse_foreign, writing
from autoseg.workspace import find_root


def written(path, text="ours"):
    with writing([path]):
        path.write_text(text)
    return path


def test_what_is_not_there_may_be_written(tmp_path):
    assert refuse_foreign([tmp_path / "new" / "a.png"]) is None


def test_a_file_of_the_user_is_named_and_kept(tmp_path):
    (tmp_path / "a.png").write_text("drawn by hand")

    with pytest.raises(UsageError, match=r"a\.png: there already.*--overwrite"):
        refuse_foreign([tmp_path / "a.png", tmp_path / "b.png"])


def test_whoever_insists_may_replace_it(tmp_path):
    (tmp_path / "a.png").write_text("drawn by hand")

    assert refuse_foreign([tmp_path / "a.png"], overwrite=True) is None


def test_what_was_written_here_may_be_replaced(tmp_path):
    assert refuse_foreign([written(tmp_path / "a.png")]) is None


def test_a_file_that_was_changed_since_is_the_users(tmp_path):
    path = written(tmp_path / "a.png", "mask")
    path.write_text("corrected mask")

    with pytest.raises(UsageError, match="changed since"):
        refuse_foreign([path])


def test_a_change_that_keeps_the_size_is_seen(tmp_path):
    path = written(tmp_path / "a.png", "mask 1")
    path.write_text("mask 2")
    os.utime(path, ns=(0, 0))

    assert not is_ours(path)


def test_a_copy_of_the_folder_is_known_by_its_hashes(tmp_path):
    path = written(tmp_path / "a.png")
    os.utime(path, ns=(0, 0))

    assert is_ours(path)


def test_another_time_of_writing_makes_it_ours_again(tmp_path):
    path = written(tmp_path / "a.png")
    path.write_text("by hand")
    written(path, "by us")

    assert is_ours(path)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_is_not_replaced_by_any_of_its_names(tmp_path, link):
    image = tmp_path / "image.png"
    image.write_text("image")
    link(image, tmp_path / "other.png")

    for overwrite in (False, True):
        with pytest.raises(UsageError, match="made from it"):
            refuse_foreign(
                [tmp_path / "other.png"], inputs=[image], overwrite=overwrite
            )


def test_an_input_that_was_our_output_is_not_replaced(tmp_path):
    path = written(tmp_path / "a.png")

    with pytest.raises(UsageError, match="made from it"):
        refuse_foreign([path], inputs=[tmp_path / "." / ".." / tmp_path.name / "a.png"])


def test_a_broken_link_is_somebodys(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")

    with pytest.raises(UsageError, match="a.png"):
        refuse_foreign([tmp_path / "a.png"])


def test_a_process_killed_while_it_wrote_may_go_on(tmp_path):
    path = tmp_path / "a.png"
    (tmp_path / JOURNAL).write_text('{"file": "a.png", "stamp": null}\n')
    path.write_text("complete, but nobody came to say so")

    assert is_ours(path)


def test_what_was_to_be_written_and_was_not_stays_the_users(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(RuntimeError), writing([path, tmp_path / "b.png"]):
        raise RuntimeError
    path.write_text("by hand")

    assert not is_ours(path)


def test_a_file_that_was_left_alone_keeps_its_state(tmp_path):
    mine, theirs = written(tmp_path / "a.png"), tmp_path / "b.png"
    theirs.write_text("by hand")
    with writing([mine, theirs]):
        pass

    assert is_ours(mine)
    assert not is_ours(theirs)


def test_half_a_line_in_the_journal_is_passed_over(tmp_path):
    path = written(tmp_path / "a.png")
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"file": "a.p')

    assert is_ours(path)


def test_adopted_files_count_as_ours(tmp_path):
    (tmp_path / "a.png").write_text("of an earlier version")
    adopt([tmp_path / "a.png", tmp_path / "not_there.png"])

    assert is_ours(tmp_path / "a.png")
    assert not is_ours(tmp_path / "not_there.png")


@pytest.mark.parametrize(
    ("name", "text", "ours"),
    [
        ("report.json", {"autoseg": "0.1.0", "schema": 1, "data": {}}, True),
        ("summary.json", {"foreground_mean": {}, "metric_per_case": []}, False),
        ("a.json", ["autoseg", "schema"], False),
        ("a.json", {}, False),
    ],
)
def test_json_files_of_ours_are_known_by_their_keys(tmp_path, name, text, ours):
    path = tmp_path / name
    path.write_text(json.dumps(text))

    assert is_ours(path) is ours


def test_a_table_is_ours_beside_its_json_file(tmp_path):
    table = tmp_path / "summary.csv"
    table.write_text("case,class,dice\n")
    assert not is_ours(table)

    (tmp_path / "summary.json").write_text('{"autoseg": "0.1.0", "schema": 1}')
    assert is_ours(table)


def test_pages_and_bundles_are_known_by_what_they_hold(tmp_path):
    page, other = tmp_path / "a.html", tmp_path / "b.html"
    page.write_text("<footer>Made by autoseg 0.1.0.</footer>")
    other.write_text("<p>autoseg is nice</p>")
    for name, content in (("a.zip", '{"kind": "autoseg model"}'), ("b.zip", "{}")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("manifest.json", content)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("holiday.jpg", "")

    assert [is_ours(p) for p in (page, other)] == [True, False]
    assert [is_ours(tmp_path / f"{n}.zip") for n in "abc"] == [True, False, False]


def test_the_voxels_behind_a_header_belong_to_it(tmp_path):
    names = [path.name for path in companions(tmp_path / "a.mhd")]

    assert names == ["a.mhd", "a.raw", "a.zraw"]
    assert companions(tmp_path / "a.nrrd") == [tmp_path / "a.nrrd"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_done(
    tmp_path, kind
):
    place = tmp_path / "there"
    if kind == "file":
        place.write_text("a file")
    else:
        place.symlink_to(tmp_path / "nowhere")

    for folder in (place, place / "deeper"):
        with pytest.raises(UsageError, match="nothing can be written to .*there"):
            refuse_foreign([folder / "a.png"])
        with pytest.raises(UsageError, match="is a (file|link)"):
            find_root(folder)
        with pytest.raises(UsageError):
            autoseg.merge(["a", "b"], folder)
    assert refuse_foreign([tmp_path / "new" / "deeper" / "a.png"]) is None


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path, monkeypatch):
    old = written(tmp_path / "a.png")
    monkeypatch.setattr("os.access", lambda place, how: False)

    with pytest.raises(UsageError, match="may not be written to"):
        refuse_foreign([tmp_path / "new.png"])
    assert refuse_foreign([old]) is None  # it is there already


def test_a_folder_where_a_file_is_to_be_is_refused(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "image.ome.zarr").mkdir()  # an image, which may be ours

    for overwrite in (False, True):
        with pytest.raises(UsageError, match="there: a folder, where a file is to be"):
            refuse_foreign([tmp_path / "there"], overwrite=overwrite)
    assert refuse_foreign([tmp_path / "image.ome.zarr"], overwrite=True) is None
