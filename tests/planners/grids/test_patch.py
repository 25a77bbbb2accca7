"""The largest patch and batch within a budget, against budgets that count voxels."""

import math

import pytest

from autoseg.errors import UsageError
from planners.grids.patch import Request, TooLarge, fit_patch, initial_patch
from tests.each import each


class Voxels:
    """A budget of so many voxels in a batch, at one GB each."""

    least_edge = 8

    def __init__(self, most, steady=False):
        self.most, self.steady, self.asked = most, steady, []

    def needed_gb(self, topology, batch_size=None):
        return math.prod(topology.patch_size) * (batch_size or 2)

    def kind(self, topology):
        return topology.strides

    def fits(self, topology, batch_size=None):
        self.asked.append(topology.patch_size)
        return self.needed_gb(topology, batch_size) <= self.most

    def likely(self, patches, batch_size):
        return None

    def largest_batch(self, topology):
        return self.most // math.prod(topology.patch_size)


def _request(shape, spacing=None, *, most_voxels=1e12, **fixed):
    return Request(
        spacing=tuple(spacing or (1.0,) * len(shape)),
        median_shape=tuple(map(float, shape)),
        most_voxels=most_voxels,
        **fixed,
    )


def test_a_patch_starts_as_a_cube_of_256_voxels_in_millimeters():
    # 256 ** 3 = x * y * z with 3x = y = z: x = 256 / 3 ** (2 / 3) = 123.07
    assert initial_patch((3.0, 1.0, 1.0), (999, 999, 999)) == (123, 369, 369)


def test_a_patch_of_needles_has_a_voxel_along_each_axis():
    # 256 * (1 / 100,000) ** (2 / 3) = 0.12 of a voxel
    assert initial_patch((1e5, 1.0, 1.0), (16, 16, 16)) == (1, 16, 16)


def test_a_slice_starts_as_a_square_of_2048_pixels():
    assert initial_patch((0.5, 0.5), (9999, 9999)) == (2048, 2048)


def test_a_patch_is_no_longer_than_the_median_case():
    assert initial_patch((1.0, 1.0, 1.0), (64.5, 512, 300)) == (64.5, 256, 256)


def test_the_axis_that_is_longest_relative_to_the_case_is_shortened():
    # 256 of 512, 256 of 300: the second. In steps of 32, as its strides have it.
    fit = fit_patch(_request((512, 512, 300)), Voxels(2 * 256 * 256 * 224))

    assert fit.topology.patch_size == (256, 256, 224)
    assert fit.first == (256, 256, 256)
    assert fit.steps == 1


def test_of_equal_axes_the_last_is_shortened_first():
    fit = fit_patch(_request((128, 128, 128)), Voxels(2 * 128 * 128 * 112))

    assert fit.topology.patch_size == (128, 128, 112)


def test_the_batch_fills_the_budget():
    fit = fit_patch(_request((64, 64, 64)), Voxels(7 * 64**3 + 1))

    assert (fit.batch_size, fit.limit) == (7, "memory")


def test_gpus_that_share_a_batch_fill_the_budget_of_each():
    fit = fit_patch(_request((64, 64, 64), gpus=3), Voxels(7 * 64**3 + 1))

    assert (fit.batch_size, fit.limit) == (3 * 7, "memory")


def test_each_gpu_gets_a_sample_however_small_the_data():
    request = _request((64, 64, 64), most_voxels=3.4 * 64**3, gpus=4)

    fit = fit_patch(request, Voxels(100 * 64**3))

    assert (fit.batch_size, fit.limit) == (4, "least")


def test_of_a_fixed_batch_the_largest_share_has_to_fit():
    request = _request((64, 64, 64), batch_size=5, patch_size=(64, 64, 64), gpus=2)

    assert fit_patch(request, Voxels(3 * 64**3)).batch_size == 5
    with pytest.raises(UsageError, match="a batch of 3 on each GPU needs"):
        fit_patch(request, Voxels(3 * 64**3 - 1))


def test_the_batch_is_no_large_part_of_the_data():
    request = _request((64, 64, 64), most_voxels=3.4 * 64**3)

    fit = fit_patch(request, Voxels(100 * 64**3))

    assert (fit.batch_size, fit.limit) == (3, "data")


def test_a_batch_has_two_patches_at_least():
    request = _request((64, 64, 64), most_voxels=0.1 * 64**3)

    fit = fit_patch(request, Voxels(100 * 64**3))

    assert (fit.batch_size, fit.limit) == (2, "least")


def test_a_steady_budget_keeps_memory_for_the_larger_patch():
    # Two patches of 64 x 64 x 64 would not fit; 64 x 64 x 56 fit twice. A third
    # would have more voxels (3 * 56) than two of the larger patch (2 * 64).
    request = _request((64, 64, 64))

    class Steep(Voxels):
        def fits(self, topology, batch_size=None):
            return topology.patch_size != (64, 64, 64)

        def largest_batch(self, topology):
            return 3

    assert fit_patch(request, Steep(0, steady=False)).batch_size == 3
    steady = fit_patch(request, Steep(0, steady=True))
    assert (steady.topology.patch_size, steady.batch_size) == ((64, 64, 56), 2)
    assert steady.limit == "patch"


def test_few_patches_of_a_kind_are_counted_and_the_largest_that_fits_is_taken():
    counted, one_by_one = Voxels(2 * 100**3), Voxels(2 * 100**3)
    one_by_one.kind = lambda topology: topology  # each of its own kind: all are counted

    found = [fit_patch(_request((250, 250, 250)), c) for c in (counted, one_by_one)]

    assert found[0] == found[1]
    assert found[0].steps > 10
    assert 2 * len(counted.asked) < len(one_by_one.asked)


@each("most", [2 * 100**3, 2 * 33**3, 2 * 8**3])
@each("guess", [0, 3, 10**6, -7])
def test_the_same_patch_is_found_wherever_it_was_thought_likely(guess, most):
    budget = Voxels(most)
    budget.likely = lambda patches, batch_size: guess

    found = fit_patch(_request((250, 250, 250)), budget)

    assert found == fit_patch(_request((250, 250, 250)), Voxels(most))


def test_a_good_guess_spares_the_counting_of_most_patches():
    def exact(patches, batch_size):
        fitting = [math.prod(patch.patch_size) <= 100**3 for patch in patches]
        return fitting.index(True) if any(fitting) else len(patches)

    halving, guessing = Voxels(2 * 100**3), Voxels(2 * 100**3)
    guessing.likely = exact

    assert fit_patch(_request((250, 250, 250)), halving) == fit_patch(
        _request((250, 250, 250)), guessing
    )
    assert len(guessing.asked) < len(halving.asked)


def test_when_nothing_fits_the_error_says_what_the_smallest_needs():
    with pytest.raises(TooLarge, match=r"8 x 8 x 8 with a batch of 2, needs 1024.00"):
        fit_patch(_request((64, 64, 64)), Voxels(1000))


def test_a_thin_axis_does_not_keep_the_others_from_shrinking():
    fit = fit_patch(_request((3, 256, 256)), Voxels(2 * 3 * 100 * 100))

    assert math.prod(fit.topology.patch_size) <= 3 * 100 * 100
    assert fit.topology.patch_size[0] == 3


def test_a_fixed_batch_makes_the_patch_smaller():
    fit = fit_patch(_request((64, 64, 64), batch_size=8), Voxels(2 * 64**3))

    assert (fit.batch_size, fit.limit) == (8, "user")
    assert math.prod(fit.topology.patch_size) * 8 <= 2 * 64**3


def test_a_fixed_patch_gets_its_own_strides_and_batch():
    fit = fit_patch(_request((200, 200, 200), patch_size=(96, 48, 48)), Voxels(10**6))

    assert fit.topology.patch_size == (96, 48, 48)
    assert fit.topology.divisors == (16, 8, 8)  # 96 -> 6, 48 -> 6
    assert fit.batch_size == 10**6 // (96 * 48 * 48)


def test_a_fixed_patch_that_cannot_be_halved_names_two_that_can():
    # 100 -> 50 -> 25 -> 13 -> 7: a multiple of 16
    request = _request((200, 200, 200), patch_size=(100, 96, 96))

    with pytest.raises(UsageError, match="96 x 96 x 96 or 112 x 96 x 96"):
        fit_patch(request, Voxels(10**9))


def test_a_fixed_patch_that_does_not_fit_says_what_does():
    request = _request((200, 200, 200), patch_size=(64, 64, 64), batch_size=4)

    with pytest.raises(UsageError) as error:
        fit_patch(request, Voxels(3 * 64**3))

    # The axes take turns; 4 * 64 * 56 * 56 is still more than 3 * 64 ** 3.
    assert "A batch of 3 fits with this patch." in str(error.value)
    assert "A patch of 56 x 56 x 56 fits with this batch." in str(error.value)


def test_fewer_stages_allow_smaller_steps():
    # Two stages: every edge that is even.
    fit = fit_patch(
        _request((64, 64, 62), most_stages=2, patch_size=(62, 60, 58)), Voxels(10**9)
    )

    assert fit.topology.strides == ((1, 1, 1), (2, 2, 2))
