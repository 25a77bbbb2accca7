"""Which cases train and which are held out."""

import dataclasses
import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from autoseg.errors import DatasetError, UsageError
from autoseg.preprocess.folds import (
    check_splits,
    load_fold,
    load_splits,
    make_splits,
    read_splits,
    write_splits,
)
from autoseg.spec.dataset import Case, Dataset
from autoseg.workspace import Workspace


def _dataset(ids, groups=None, splits=None) -> Dataset:
    return Dataset(
        name="toy",
        folder=Path("/data/toy"),
        task="semantic",
        channel_names=("MR",),
        image_ending=".png",
        annotation_ending=".png",
        training=tuple(Case(id=i, images=(), group=(groups or {}).get(i)) for i in ids),
        splits=splits,
    )


def _place(tmp_path) -> Workspace:
    return Workspace(root=tmp_path, dataset="toy")


@pytest.mark.parametrize("count", [5, 6, 13, 60, 217])
def test_the_folds_are_those_of_nnunet(count):
    from sklearn.model_selection import KFold  # takes a second

    ids = [f"case_{number}" for number in range(count)]  # not in sorted order

    splits = make_splits(_dataset(ids))

    ordered = np.array(sorted(ids))  # what nnU-Net v2 does
    folds = KFold(n_splits=5, shuffle=True, random_state=12345).split(ordered)
    assert splits == tuple(
        (tuple(ordered[train].tolist()), tuple(ordered[val].tolist()))
        for train, val in folds
    )


def test_another_seed_gives_other_folds():
    dataset = _dataset([f"case_{number:02d}" for number in range(20)])

    assert make_splits(dataset, seed=1) != make_splits(dataset, seed=2)
    assert make_splits(dataset, seed=1) == make_splits(dataset, seed=1)


def test_with_fewer_cases_than_folds_there_are_fewer_folds_and_a_word(caplog):
    splits = make_splits(_dataset("abc"))

    assert len(splits) == 3
    assert sorted(val for _, val in splits) == [("a",), ("b",), ("c",)]
    assert "3 training cases, so there are 3 folds instead of 5" in caplog.text


def test_one_case_cannot_be_split_but_trained_as_a_whole(tmp_path):
    dataset = _dataset(["only"])

    with pytest.raises(DatasetError, match="fold `all`"):
        make_splits(dataset)
    with pytest.raises(DatasetError, match="fold `all`"):
        load_fold(_place(tmp_path), dataset, 0)
    assert load_fold(_place(tmp_path), dataset, "all") == (("only",), ("only",))


def test_a_group_is_never_on_both_sides():
    # 12 patients with 1 to 3 scans each
    groups = {f"p{p:02d}_{s}": f"p{p:02d}" for p in range(12) for s in range(1 + p % 3)}

    splits = make_splits(_dataset(groups, groups))

    assert len(splits) == 5
    held_out = Counter(case for _, val in splits for case in val)
    assert held_out == Counter(list(groups))  # each case exactly once
    for train, val in splits:
        assert not {groups[i] for i in train} & {groups[i] for i in val}
        assert sorted((*train, *val)) == sorted(groups)


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_dealt_out_so_that_folds_have_about_as_many_cases(seed):
    # One group of 8 and twelve of 1: the best possible is 8, 3, 3, 3, 3.
    groups = {f"big_{i}": "big" for i in range(8)} | {
        f"s{i:02d}": f"s{i}" for i in range(12)
    }

    splits = make_splits(_dataset(groups, groups), seed=seed)

    assert sorted(len(val) for _, val in splits) == [3, 3, 3, 3, 8]


def test_groups_of_equal_size_are_shuffled_and_not_dealt_out_in_order():
    groups = {f"p{p:02d}_{s}": f"p{p:02d}" for p in range(30) for s in range(2)}

    first = make_splits(_dataset(groups, groups))[0][1]

    assert first != tuple(sorted(groups)[:12])
    assert make_splits(_dataset(groups, groups), seed=7)[0][1] != first


def test_a_case_without_group_is_a_group_of_its_own():
    groups = {"a1": "a", "a2": "a"}

    splits = make_splits(_dataset(["a1", "a2", "b", "c", "d", "e"], groups))

    assert len(splits) == 5
    assert ("a1", "a2") in [val for _, val in splits]


def test_two_groups_give_two_folds(caplog):
    groups = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "b3": "b"}

    splits = make_splits(_dataset(groups, groups))

    assert {val for _, val in splits} == {("a1", "a2"), ("b1", "b2", "b3")}
    assert "2 groups of cases" in caplog.text


def test_one_group_cannot_be_split():
    with pytest.raises(DatasetError, match="1 group"):
        make_splits(_dataset("ab", {"a": "p", "b": "p"}))


def test_splits_of_the_data_set_come_first():
    given = ((("a", "b"), ("c",)), (("c",), ("a",)))

    assert make_splits(_dataset("abc", splits=given)) == given


def test_everything_wrong_with_given_splits_is_said_at_once():
    given = ((("a", "x", "y"), ("b",)), ((), ("c",)), (("a",), ()))

    with pytest.raises(DatasetError) as caught:
        make_splits(_dataset("abc", splits=given))

    text = str(caught.value)
    assert "fold 0 names 2 cases" in text and "x, y" in text
    assert "fold 1 has no case in 'train'" in text
    assert "fold 2 has no case in 'val'" in text


def test_splits_that_windows_saved_with_a_mark_are_read(tmp_path):
    place = _place(tmp_path)
    load_splits(place, _dataset("abcdef"))
    text = place.splits.read_text()
    place.splits.write_text(text, encoding="utf-8-sig")

    assert load_splits(place, _dataset("abcdef")) == make_splits(_dataset("abcdef"))


def test_groups_on_both_sides_are_told_once(caplog):
    given = ((("a", "b"), ("c",)),)
    dataset = _dataset("abc", {"b": "mouse", "c": "mouse"}, given)

    for _ in range(3):  # as a training does
        make_splits(dataset)

    assert caplog.text.count("has cases of the group mouse on both sides") == 1


@pytest.mark.parametrize(
    ("given", "groups", "said"),
    [
        (((("a", "b"), ("b", "c")),), {}, "trains and validates on b"),
        (((("a", "b"), ("c",)),), {"b": "p", "c": "p"}, "group p on both sides"),
    ],
)
def test_given_splits_that_leak_are_warned_of(given, groups, said, caplog):
    make_splits(_dataset("abc", groups, given))

    assert said in caplog.text


def test_splits_are_written_as_nnunet_writes_them(tmp_path):
    place = _place(tmp_path)

    splits = load_splits(place, _dataset("abcdefgh"))

    raw = json.loads(place.splits.read_text())
    assert [sorted(fold) for fold in raw] == [["train", "val"]] * 5
    assert tuple((tuple(f["train"]), tuple(f["val"])) for f in raw) == splits


def test_splits_that_were_edited_count(tmp_path):
    place = _place(tmp_path)
    write_splits([(("a",), ("b", "c"))], place.splits)

    assert load_splits(place, _dataset("abc")) == ((("a",), ("b", "c")),)


def test_a_splits_final_of_nnunet_is_taken_as_it_is(tmp_path):
    place = _place(tmp_path)
    place.preprocessed.mkdir(parents=True)
    (place.preprocessed / "splits_final.json").write_text(
        '[{"train": ["a", "b"], "val": ["c"]}]'
    )

    assert load_splits(place, _dataset("abc")) == ((("a", "b"), ("c",)),)


def test_splits_stay_when_cases_are_added_and_it_is_said(tmp_path, caplog):
    place = _place(tmp_path)
    before = load_splits(place, _dataset("abcdef"))

    after = load_splits(place, _dataset("abcdefg"))

    assert after == before
    assert "1 training case in no fold: g" in caplog.text


def test_splits_that_name_a_case_that_is_gone_are_refused(tmp_path):
    place = _place(tmp_path)
    load_splits(place, _dataset("abcdef"))

    with pytest.raises(DatasetError, match="not in .*: f"):
        load_splits(place, _dataset("abcde"))


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "{}",
        "[]",
        "[1]",
        '[{"train": ["a"]}]',
        '[{"train": 1, "val": 2}]',
        '[{"train": "abc", "val": ["d"]}]',
    ],
)
def test_a_damaged_file_of_splits_is_refused_by_name(tmp_path, text):
    path = tmp_path / "splits.json"
    path.write_text(text)

    with pytest.raises(DatasetError, match=r"splits\.json.* [Dd]elete it"):
        read_splits(path)


def test_writing_the_same_splits_again_leaves_the_file_alone(tmp_path):
    path = tmp_path / "splits.json"
    write_splits([(("a",), ("b",))], path)
    before = path.stat()

    write_splits([(("a",), ("b",))], path)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )


def test_a_fold_is_found_by_number_also_as_text(tmp_path):
    dataset = _dataset("abcdefghij")
    splits = make_splits(dataset)

    assert load_fold(_place(tmp_path), dataset, 3) == splits[3]
    assert load_fold(_place(tmp_path), dataset, "3") == splits[3]


@pytest.mark.parametrize("fold", [5, 17])
def test_a_fold_beyond_the_splits_is_the_random_share_of_nnunet(tmp_path, fold, caplog):
    ids = sorted(f"case_{number:02d}" for number in range(23))

    train, val = load_fold(_place(tmp_path), _dataset(ids), fold)

    # nnU-Net v2: RandomState(12345 + fold).choice(n, int(0.8 n), replace=False)
    chosen = np.random.RandomState(12345 + fold).choice(23, 18, replace=False)
    assert train == tuple(ids[i] for i in sorted(chosen))
    assert sorted((*train, *val)) == ids
    assert "80:20" in caplog.text


def test_a_random_share_keeps_groups_together(tmp_path):
    groups = {f"p{p}_{s}": f"p{p}" for p in range(10) for s in range(3)}

    train, val = load_fold(_place(tmp_path), _dataset(groups, groups), 9)

    assert len(train) == 24 and len(val) == 6
    assert not {groups[i] for i in train} & {groups[i] for i in val}


@pytest.mark.parametrize("fold", ["first", "-1", "1.5", ""])
def test_what_is_no_fold_is_refused(tmp_path, fold):
    with pytest.raises(UsageError, match="neither a number"):
        load_fold(_place(tmp_path), _dataset("abcdef"), fold)


def test_a_given_splits_file_replaces_the_one_that_was_made(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    place = _place(tmp_path)
    load_splits(place, _dataset("abcdef"))
    given = ((("a", "b", "c"), ("d", "e", "f")),)

    load_splits(place, _dataset("abcdef", splits=given))

    assert read_splits(place.splits) == given


def _annotated(said) -> Dataset:
    cases = tuple(Case(id=i, images=(), annotated=names) for i, names in said.items())
    return dataclasses.replace(_dataset(()), training=cases)


def test_each_fold_gets_as_much_of_every_kind_of_case():
    kinds = [("liver",), ("kidney",), None]
    said = {f"c{number:02d}": kinds[number // 10] for number in range(30)}
    said = dict(list(said.items())[:25])  # 10, 10 and 5

    for train, held_out in make_splits(_annotated(said)):
        assert Counter(said[i] for i in held_out) == dict(
            zip(kinds, (2, 2, 1), strict=True)
        )
        assert Counter(said[i] for i in train) == dict(
            zip(kinds, (8, 8, 4), strict=True)
        )


def test_a_fold_that_cannot_learn_a_class_is_warned_of(caplog):
    said = {"a": ("liver",), "b": ("liver",), "c": ("liver", "kidney")}

    with caplog.at_level(logging.WARNING):
        make_splits(_annotated(said), folds=3)

    told = [
        r.getMessage() for r in caplog.records if "trains on no case" in r.msg % r.args
    ]
    assert len(told) == 1 and "kidney is annotated" in told[0]


def test_a_case_that_was_renamed_is_told_with_its_new_name():
    dataset = _dataset(["a", "b", "z"])
    splits = ((("a", "b"), ("c",)), (("a", "c"), ("b",)))

    with pytest.raises(
        DatasetError, match="(?s)fold 0 names 1 case.*: c.*fold: z. If r"
    ):
        check_splits(splits, dataset, "splits.json")
    with pytest.raises(DatasetError, match="no case 'c' any more"):
        dataset.case("c")
