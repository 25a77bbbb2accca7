"""What is hidden of a patch, and what is to be filled in."""

import numpy as np
import pytest
import torch

from autoseg.train.pretrain.patches import HEAD, HiddenPatches, Hiding
from autoseg.train.pretrain.restoring import Restoring

PATCH = (12, 8)
HIDING = Hiding(share=0.5, block=(4, 2), stride=(2, 1))


def test_blocks_are_about_a_sixth_of_a_patch_and_whole_outputs():
    found = Hiding.of_patch(0.6, (40, 56, 8), (1, 4, 1))

    assert found.block == (7, 8, 1)  # 56 / 6 in steps of 4: two of them


def test_a_share_of_blocks_is_hidden_and_none_cuts_an_output():
    rng = np.random.default_rng(1)

    for _ in range(20):
        hidden = HIDING.draw(rng, PATCH)
        assert hidden.shape == PATCH
        pairs = hidden.reshape(6, 2, 8)
        assert (pairs[:, 0] == pairs[:, 1]).all()
    # Half of 3 or 4 times 4 or 5 blocks, some of them cut at the edge.
    assert 0.3 < hidden.mean() < 0.7


@pytest.fixture
def files(tmp_path):
    """Two images whose voxels say who and where they are; the second is small."""
    large = np.arange(20 * 16, dtype=np.float16).reshape(1, 20, 16)
    small = 1000 + np.arange(6 * 16, dtype=np.float16).reshape(1, 6, 16)
    for name, array in (("large", large), ("small", small)):
        np.save(tmp_path / f"{name}.npy", array)
    return [tmp_path / "large.npy", tmp_path / "small.npy"]


def _of(files, seed=0, **options):
    plain = Hiding(share=0.5, block=(4, 2), stride=(1, 1))
    options = {"hiding": plain, "seed": seed, **options}
    return HiddenPatches(files, PATCH, 3, **options)


def test_what_is_seen_and_what_is_hidden_are_the_image(files):
    found = {}
    for batch in _of(files).batches(0, 8):
        wanted = batch.targets[HEAD]
        for case, image, target in zip(batch.cases, batch.images, wanted, strict=True):
            hidden = torch.isfinite(target)
            whole = torch.where(hidden, target, image)[0].numpy()
            seen = image[0][~hidden[0]]
            if case == "large":  # rows of 16 that follow each other
                assert (np.diff(whole, axis=0) == 16).all()
                assert (np.diff(whole, axis=1) == 1).all()
                mean = seen.mean()
            else:  # 3 rows of zeros above and below, which nobody has to know
                assert (whole[3:9] >= 1000).all()
                assert not hidden[:, :3].any() and not hidden[:, 9:].any()
                mean = seen[seen >= 1000].mean()
            np.testing.assert_allclose(image[hidden], mean, rtol=1e-3)
            found[case] = hidden.float().mean()

    assert found.keys() == {"large", "small"}


def test_flat_patches_of_a_volume_are_parts_of_single_slices(tmp_path):
    steps = np.arange(3)[:, None, None] * 500 + np.arange(20)[:, None] * 16
    volume = (steps + np.arange(16))[None].astype(np.float32)
    np.save(tmp_path / "volume.npy", volume)

    slices = set()
    for batch in _of([tmp_path / "volume.npy"]).batches(0, 8):
        wanted = batch.targets[HEAD]
        for image, target in zip(batch.images, wanted, strict=True):
            whole = torch.where(torch.isfinite(target), target, image)[0].numpy()
            assert whole.shape == tuple(PATCH)
            assert (np.diff(whole, axis=0) == 16).all()
            assert (np.diff(whole, axis=1) == 1).all()
            slices.add(int(whole[0, 0] // 500))

    assert slices == {0, 1, 2}


def test_batches_belong_to_seed_and_iteration_however_they_are_asked_for(files):
    every = list(_of(files, threads=3).batches(0, 5))
    later = list(_of(files).batches(3, 5))
    other = next(_of(files, seed=1).batches(3))

    for one, same in zip(every[3:], later, strict=True):
        assert one.iteration == same.iteration and one.cases == same.cases
        assert torch.equal(one.images, same.images)
    assert not torch.equal(later[0].images, other.images)


def test_where_an_output_stands_for_several_voxels_it_is_to_give_their_mean(files):
    fine = next(_of(files, hiding=HIDING).batches(0))
    wanted = fine.targets[HEAD]

    assert wanted.shape == (3, 1, 6, 8)
    assert torch.isfinite(wanted).any()


def test_only_what_was_hidden_counts_and_far_off_voxels_count_little():
    target = torch.tensor([[[[0.0, 1.0], [float("nan"), float("nan")]]]])
    output = torch.tensor([[[[0.5, 11.0], [70.0, -3.0]]]], requires_grad=True)

    loss = Restoring()({HEAD: output}, {HEAD: target})
    loss.backward()

    # Huber: 0.5 ** 2 / 2 and 10 - 1 / 2, their mean.
    assert loss.item() == pytest.approx((0.125 + 9.5) / 2)
    assert (output.grad[0, 0, 1] == 0).all()
