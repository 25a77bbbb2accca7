"""What a container or a batch job leaves of the machine."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from autoseg import machine


@pytest.fixture
def cgroups(tmp_path, monkeypatch):
    """Return a function that sets up control groups: (membership, {file: text})."""

    def write(membership, files):
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "fs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")
    return write


@pytest.fixture
def many_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def test_without_limits_all_cores_count(cgroups, many_cores):
    cgroups("0::/\n", {"cpu.max": "max 100000"})

    assert machine.cores() == 64


def test_a_container_of_two_and_a_half_cores_keeps_three_busy(cgroups, many_cores):
    cgroups("0::/job\n", {"job/cpu.max": "250000 100000", "cpu.max": "max 100000"})

    assert machine.cores() == 3


def test_the_older_control_groups_count_too(cgroups, many_cores):
    cgroups(
        "4:cpu:/box\n",
        {"cpu/box/cpu.cfs_quota_us": "400000", "cpu/box/cpu.cfs_period_us": "100000"},
    )

    assert machine.cores() == 4


def test_the_older_control_groups_have_no_limit_at_minus_one(cgroups, many_cores):
    cgroups(
        "4:cpu:/\n",
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
    )

    assert machine.cores() == 64


def test_a_limit_of_a_group_further_up_holds(cgroups):
    cgroups(
        "0::/user/job\n",
        {
            "user/job/memory.max": "max",
            "user/job/memory.current": "10",
            "user/memory.max": "5000000",
            "user/memory.current": "3000000",
            "user/memory.stat": "anon 1000000\ninactive_file 500000\n",
        },
    )

    # 5 MB less 3 MB in use, of which 0.5 MB are files that may be dropped
    assert machine.free_memory() == 2_500_000


def test_without_limits_the_whole_machine_counts(cgroups, monkeypatch):
    cgroups("0::/\n", {"memory.max": "max", "memory.current": "10"})
    free = type("Memory", (), {"available": 123_456})()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)

    assert machine.free_memory() == 123_456


def test_where_there_are_no_control_groups_nothing_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "none")

    assert machine.cores() >= 1
    assert machine.free_memory() > 0


# Six arrays of 8 MB, freed together and asked for again, three times: 2,048 pages each.
REUSE = """
import resource, sys
import numpy as np
from autoseg.machine import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    keep_freed_memory()
for turn in range(4):
    if turn == 1:
        before = faults()
    arrays = [np.ones(2**20) for _ in range(6)]
    del arrays
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives back")
def test_memory_that_was_freed_is_not_asked_for_again():
    def pages(word):
        words = [sys.executable, "-c", REUSE, word]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return int(done.stdout)

    assert pages("keep") < 2048 < 3 * 2048 < pages("give back")


@pytest.mark.parametrize(("said", "expected"), [("4", 16), ("100", 1), ("", 64)])
def test_workers_that_share_a_machine_get_equal_shares(
    cgroups, many_cores, monkeypatch, said, expected
):
    cgroups("0::/\n", {"cpu.max": "max 100000"})
    whole = machine.free_memory()
    monkeypatch.setenv("AUTOSEG_WORKERS_HERE", said)

    assert machine.cores() == expected
    share = machine.free_memory() / whole
    assert share == pytest.approx(1 / int(said or 1), rel=0.2)


# Four threads ask for memory at the same time; glibc says from how many places it came.
PLACES = """
import ctypes, sys, threading
from autoseg.machine import share_freed_memory

if sys.argv[1] == "share":
    share_freed_memory()
library = ctypes.CDLL(None)
library.fopen.restype = library.malloc.restype = ctypes.c_void_p
together = threading.Barrier(4)

def take():
    together.wait()
    library.malloc(10_000)
    together.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library.malloc_info(0, ctypes.c_void_p(library.fopen(b"/dev/stdout", b"w")))
library.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several")
def test_threads_take_memory_from_one_place():
    def places(word):
        words = [sys.executable, "-c", PLACES, word]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return done.stdout.count("<heap nr=")

    assert places("share") == 1 < places("alone")


@pytest.mark.parametrize(("library", "said"), [("glibc", [(-3, 2**20)]), ("musl", [])])
def test_large_arrays_are_given_back_where_that_can_be_said(monkeypatch, library, said):
    asked = []
    fake = SimpleNamespace(mallopt=lambda *words: asked.append(words))
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: (library, ""))
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: fake)

    machine.give_large_arrays_pages()

    assert asked == said  # M_MMAP_THRESHOLD, a megabyte
