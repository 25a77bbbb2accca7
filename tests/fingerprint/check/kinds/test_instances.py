"""Odd maps of ids."""

from pathlib import Path

import numpy as np

from autoseg.fingerprint.check.kinds.instances import instance_problems


def _found(labels):
    return [p.found for p in instance_problems(np.array(labels), Path("case.tif"))]


def test_a_plain_map_has_no_problem():
    assert _found([[1, 1, 0], [0, 2, 2]]) == []


def test_pieces_single_voxels_and_holes_are_told_with_the_ids_in_the_file():
    labels = np.zeros((9, 20), int)
    labels[1:3, 1:3] = labels[6:8, 1:3] = 40
    labels[4, 6] = 50
    labels[2:7, 10:15] = 60
    labels[4, 12] = 0

    assert _found(labels) == [
        "1 of 3 instances are in several pieces: 40.",
        "1 of 3 instances are of a single voxel: 50.",
        "1 of 3 instances have holes: 60.",
    ]


def test_ids_that_use_up_8_bit_may_have_wrapped():
    labels = np.repeat(np.arange(256), 2)[None].repeat(2, 0)

    assert "8 bit" in _found(labels)[0]


def test_one_id_for_all_objects_looks_like_a_mask_of_the_foreground():
    labels = np.zeros((9, 20), int)
    labels[1:3, 1:3] = labels[6:8, 1:3] = 255

    assert _found(labels) == [
        "All objects have one id, 255, though they are in several pieces, as in a mask "
        "of the foreground."
    ]


def test_an_id_that_fills_an_image_without_zeros_may_be_the_background():
    labels = np.full((10, 10), 8)
    labels[2:5, 2:6] = 3  # 12 of 100 voxels
    halves = np.repeat([[1, 2]], 4, 0)

    assert _found(labels) == ["No voxel is 0, and 8 fills 88 %: is it the background?"]
    assert _found(halves) == []


def test_masks_are_called_by_their_files_and_missing_ones_are_told():
    labels = np.zeros((9, 20), int)
    labels[1:3, 1:3] = labels[6:8, 1:3] = 1
    labels[4, 6] = 3
    names = {1: "a.png", 2: "b.png", 3: "c.png"}

    found = [p.found for p in instance_problems(labels, Path("case"), names)]

    assert found == [
        "1 of 3 instances are empty, or wholly under later ones: b.png.",
        "1 of 2 instances are in several pieces: a.png.",
        "1 of 2 instances are of a single voxel: c.png.",
    ]
