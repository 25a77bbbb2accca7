"""Running one function over many cases."""

import logging
import threading
import time

import pytest

from autoseg.errors import CaseErrors, FormatError, UsageError
from autoseg.parallel import (
    MemoryBudget,
    default_workers,
    loaded_bytes,
    map_cases,
    part,
    threads_here,
)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(workers):
    def slow_for_small(n):
        time.sleep(0.002 * (5 - n))
        return n * n

    results = map_cases(slow_for_small, range(5), stage="test", workers=workers)

    assert list(results.items()) == [(str(n), n * n) for n in range(5)]


def test_results_are_handed_on_in_order_and_then_dropped():
    seen = []

    results = map_cases(
        lambda n: time.sleep(0.002 * (5 - n)) or -n,
        range(5),
        stage="test",
        workers=4,
        done=lambda item, result: seen.append((item, result)),
    )

    assert seen == [(n, -n) for n in range(5)]
    assert results == {}


def test_one_failing_case_never_stops_the_others():
    finished = []

    def work(n):
        if n in (0, 3):
            raise FormatError(f"file {n} is broken.")
        finished.append(n)

    with pytest.raises(CaseErrors) as caught:
        map_cases(work, range(6), stage="preprocess", workers=2, name="case{}".format)

    assert sorted(finished) == [1, 2, 4, 5]
    assert list(caught.value.failures) == ["case0", "case3"]
    assert "2 of 6 cases failed" in str(caught.value)
    assert "case3: file 3 is broken." in str(caught.value)


def test_one_cause_is_told_once_however_many_cases_it_has():
    reasons = {f"case_{n}": f"images/case_{n}.nii is cut off." for n in range(9)}
    reasons["case_9"] = "images/case_9.nii has no voxels."
    failures = {case: FormatError(reason) for case, reason in reasons.items()}

    said = str(CaseErrors("fingerprint", failures, 0)).splitlines()

    assert said[1:] == [
        "  case_0: images/case_0.nii is cut off.",
        "    The same in 8 more cases: case_1, case_2, case_3, case_4, case_5 and 3 "
        "more",
        "  case_9: images/case_9.nii has no voxels.",
    ]


def test_numbers_as_names_are_not_taken_for_values():
    failures = {n: FormatError(f"label value {n} is not known.") for n in "78"}

    said = str(CaseErrors("fingerprint", failures, 0)).splitlines()

    assert said[1:] == [
        "  7: label value 7 is not known.",
        "  8: label value 8 is not known.",
    ]


def test_results_after_a_failed_case_are_still_handed_on():
    seen = []

    def work(n):
        if n == 1:
            raise FormatError("broken")
        return n

    with pytest.raises(CaseErrors):
        map_cases(
            work, range(4), stage="s", workers=1, done=lambda item, _: seen.append(item)
        )

    assert seen == [0, 2, 3]


def test_an_error_that_is_a_bug_keeps_its_traceback_and_its_name(caplog):
    def work(n):
        return {}["no such key"]

    with caplog.at_level(logging.ERROR), pytest.raises(CaseErrors) as caught:
        map_cases(work, ["one"], stage="s")

    assert "KeyError('no such key')" in str(caught.value)
    assert 'return {}["no such key"]' in caplog.text


def test_no_items_give_no_results():
    assert map_cases(str, [], stage="nothing") == {}


def test_no_more_than_so_many_cases_are_in_work_at_once():
    at_once, most, lock = 0, 0, threading.Lock()

    def work(_):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.005)
        with lock:
            at_once -= 1

    map_cases(work, range(12), stage="test", workers=3)

    assert most == 3


def test_a_slow_case_does_not_hold_up_the_others():
    others_done = threading.Event()
    finished = []

    def work(n):
        if n == 0:
            # Goes on only when all others are through; a queue that waits for
            # the first would never end.
            assert others_done.wait(timeout=30)
        else:
            finished.append(n)
            if len(finished) == 19:
                others_done.set()

    map_cases(work, range(20), stage="test", workers=2)

    assert len(finished) == 19


def test_results_that_wait_for_a_slow_case_cannot_pile_up():
    release, started = threading.Event(), []

    def work(n):
        started.append(n)
        if n == 0:
            release.wait(timeout=30)
        return n

    runner = threading.Thread(
        target=map_cases,
        args=(work, range(50)),
        kwargs={"stage": "s", "workers": 2, "done": lambda *_: None},
    )
    runner.start()
    time.sleep(0.2)
    ahead = len(started)
    release.set()
    runner.join(timeout=30)

    assert ahead <= 4  # two for each worker
    assert len(started) == 50


def test_an_interrupt_does_not_wait_for_the_cases_in_work():
    started, release, finished = (threading.Event() for _ in range(3))

    def work(n):
        if n == 0:
            started.wait(timeout=30)
        else:
            started.set()
            release.wait(timeout=5)
            finished.set()

    def interrupt(item, result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_cases(work, [0, 1], stage="test", workers=2, done=interrupt)

    assert not finished.is_set()
    release.set()


def test_torch_computes_with_one_thread_in_each_worker_and_with_all_again_after():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()

    inside = map_cases(
        lambda _: torch.get_num_threads(), range(3), stage="test", workers=2
    )

    assert set(inside.values()) == {1}
    assert torch.get_num_threads() == before


def test_cases_in_work_share_the_cores_for_their_threads(monkeypatch):
    monkeypatch.setattr("autoseg.parallel.cores", lambda: 8)

    def inside(n):
        nested = map_cases(lambda m: threads_here(), "ab", stage="test", workers=2)
        return threads_here(), nested["a"]

    both = map_cases(inside, range(2), stage="test", workers=2)
    alone = map_cases(inside, range(1), stage="test", workers=2)
    many = map_cases(inside, range(99), stage="test", workers=99)

    assert threads_here() == 8
    assert both["0"] == (4, 2)
    assert alone["0"] == (8, 4)
    assert many["0"] == (1, 1)


def test_parts_share_out_all_items():
    items = list(range(10))

    shares = [part(items, 3, i) for i in range(3)]

    assert shares == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert part(items) == items


@pytest.mark.parametrize(("num_parts", "part_id"), [(2, 2), (2, -1), (0, 0)])
def test_a_part_that_is_not_there_is_refused(num_parts, part_id):
    with pytest.raises(UsageError, match=f"part {part_id} of {num_parts}"):
        part([1, 2, 3], num_parts, part_id)


def test_there_is_always_a_worker():
    assert default_workers() >= 1


def test_packed_files_are_taken_to_be_larger_in_memory(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(bytes(100))
    (tmp_path / "a.nii").write_bytes(bytes(100))

    packed = loaded_bytes([tmp_path / "a.nii.gz"])
    plain = loaded_bytes([tmp_path / "a.nii"])

    assert plain == 200  # two bytes a voxel become four
    assert packed > plain
    assert loaded_bytes([tmp_path / "missing.nii"]) == 0


def test_voxels_behind_a_header_take_memory(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    (tmp_path / "a.mhd").write_text("ElementDataFile = a.raw\n")
    (tmp_path / "b.nrrd").write_text("NRRD0004\ndata file: a.raw\n\n")

    header = 6 * (tmp_path / "a.mhd").stat().st_size
    assert loaded_bytes([tmp_path / "a.mhd"]) == header + 2000
    assert loaded_bytes([tmp_path / "b.nrrd"]) > 2000


def test_threads_wait_until_their_share_of_memory_is_free():
    memory = MemoryBudget(10)
    inside, entered = [], threading.Event()

    def enter():
        with memory.take(6):
            inside.append("second")
            entered.set()

    with memory.take(6):
        other = threading.Thread(target=enter)
        other.start()
        waited = not entered.wait(timeout=0.1)
    other.join(timeout=30)

    assert waited
    assert inside == ["second"]
    assert memory.used == 0


def test_two_that_fit_together_do_not_wait():
    memory = MemoryBudget(10)

    with memory.take(4), memory.take(6):
        assert memory.used == 10


def test_what_is_larger_than_all_memory_is_tried_alone():
    memory = MemoryBudget(10)

    with memory.take(1000):
        assert memory.used == 1000


def test_a_share_that_turns_out_smaller_lets_others_in():
    memory = MemoryBudget(10)

    with memory.take(10) as share:
        share.correct(3)
        with memory.take(7):
            assert memory.used == 10

    assert memory.used == 0


def test_a_share_is_given_back_after_an_error():
    memory = MemoryBudget(10)

    with pytest.raises(FormatError), memory.take(5):
        raise FormatError("broken")

    assert memory.used == 0


def test_a_share_that_was_corrected_is_not_given_back_twice():
    memory = MemoryBudget(10)

    with memory.take(2):
        with memory.take(4) as share:
            share.correct(0)
        assert memory.used == 2
