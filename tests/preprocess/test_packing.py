"""Chunks and blocks of stored arrays."""

import blosc2
import numpy as np
import pytest

from autoseg.preprocess.packing import BLOCK_BYTES, CHUNK_BYTES, layout


@pytest.mark.parametrize(
    ("shape", "patch"),
    [
        ((300, 512, 512), (128, 128, 128)),
        ((150, 200, 200), (16, 192, 192)),
        ((35, 51, 35), (40, 56, 40)),
        ((2000, 3000), (512, 512)),
        ((20, 512, 512), (320, 256)),  # a volume for a 2-D network
        ((1000, 64, 64), (64, 64)),
        ((1, 1, 1), (64, 64, 64)),
        ((200, 200), None),
    ],
)
def test_chunks_and_blocks_are_small_enough_and_fit(shape, patch):
    chunks, blocks = layout(shape, 2, patch)

    assert all(1 <= b <= c <= n for b, c, n in zip(blocks, chunks, shape, strict=True))
    assert 2 * np.prod(blocks) <= BLOCK_BYTES
    assert 2 * np.prod(chunks) <= CHUNK_BYTES
    blosc2.empty(shape, dtype=np.float16, chunks=chunks, blocks=blocks)


def test_slices_for_a_2d_network_are_read_one_by_one_and_share_chunks():
    chunks, blocks = layout((30, 64, 64), 2, (64, 64))

    assert blocks == (1, 64, 64)  # 8 KiB
    assert chunks == (30, 64, 64)


def test_large_slices_have_chunks_of_their_own():
    chunks, _ = layout((30, 2048, 1024), 2, (2048, 1024))

    assert chunks == (1, 2048, 1024)  # 4 MiB


def test_a_case_not_much_larger_than_a_patch_is_one_chunk():
    chunks, _ = layout((50, 60, 50), 2, (40, 56, 40))

    assert chunks == (50, 60, 50)
