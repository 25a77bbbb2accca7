"""Threads of resampling."""

import threading

import pytest
import torch

from autoseg.errors import UsageError
from autoseg.geometry.threads import limited_to, workers


@pytest.fixture(params=[1, 3])
def threads(request):
    """Torch's threads while a test runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_as_many_threads_as_torch_has_work_each_alone(threads):
    together = threading.Barrier(threads, timeout=20)
    seen = []

    def work(item):
        together.wait()  # breaks unless all of them are at work at once
        seen.append((item, torch.get_num_threads()))

    with workers() as (count, run):
        run(work, range(count))

    assert count == threads
    assert sorted(seen) == [(item, 1) for item in range(threads)]


def test_fewer_threads_have_a_share_of_torchs_each():
    before, seen = torch.get_num_threads(), []
    try:
        torch.set_num_threads(6)
        with workers(2) as (count, run):
            run(lambda item: seen.append(torch.get_num_threads()), range(count))
        assert torch.get_num_threads() == 6
    finally:
        torch.set_num_threads(before)

    assert seen == [3, 3]


def test_torchs_threads_are_as_before_also_after_an_error(threads):
    def fail(item):
        raise ArithmeticError(item)

    with pytest.raises(ArithmeticError), workers() as (_, run):
        run(fail, range(2))

    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("most", "inside"), [(2, 2), (1, 1), (None, 3)])
def test_computing_is_limited_to_a_number_of_threads_and_free_afterwards(most, inside):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with pytest.raises(ArithmeticError), limited_to(most):
            seen = torch.get_num_threads()
            raise ArithmeticError
        assert (seen, torch.get_num_threads()) == (inside, 3)
    finally:
        torch.set_num_threads(before)


def test_no_thread_at_all_is_refused():
    with pytest.raises(UsageError, match="number of threads is 0; give 1 or more"):
        with limited_to(0):
            pass
