"""How much of the machine this process may use, also in a container or a batch job."""

from __future__ import annotations

import ctypes
import math
import os
import platform
from pathlib import Path

GIGABYTE = 1e9
FREE_SHARE = 0.8  # of the free memory that a run takes when nobody says how much
# Set where several workers share what one process may use, to how many they are.
SHARED_BY = "AUTOSEG_WORKERS_HERE"
CGROUPS = Path("/sys/fs/cgroup")  # where Linux keeps the limits of containers and jobs
MEMBERSHIP = Path("/proc/self/cgroup")
# Of malloc.h: the smallest block that comes from the system itself (32 MiB is the most
# that can be), how much may lie free, and how much more is asked for than needed.
MALLOC = {-3: 2**25, -1: 2**30, -2: 2**26}
ONE_PLACE = (-8, 1)  # how many places threads take memory from
LARGE = (-3, 2**20)  # bytes from which on an array has pages of its own


def cores() -> int:
    """Return how many cores this process may keep busy, at least 1.

    Counts those it is bound to, and no more than the processor time that its container
    is given.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        count = os.cpu_count() or 1
    for folder in _folders("cpu"):
        quota = _words(folder / "cpu.max") or (
            _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        )
        if len(quota) == 2 and quota[0].isdigit() and int(quota[1]):
            count = min(count, math.ceil(int(quota[0]) / int(quota[1])))
    return max(1, count // workers_here())


def workers_here() -> int:
    """Return how many workers share this machine, container or job, at least 1."""
    given = os.environ.get(SHARED_BY, "")
    return max(1, int(given)) if given.isdecimal() else 1


def free_memory() -> int:
    """Return how many bytes this process may still take without being killed.

    What the machine has free, and no more than its container or job has left; files
    that the system keeps in memory to read them again count as free.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    for folder in _folders("memory"):
        for limit, usage in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            most, used = _words(folder / limit), _words(folder / usage)
            if most and used and most[0].isdigit():
                left = int(most[0]) - int(used[0]) + _cached(folder)
                free = min(free, max(0, left))
    return free // workers_here()


def total_memory() -> int:
    """Return how many bytes this process could take at most, swapping included.

    All of the machine's, and no more than its container or job may take.
    """
    import psutil

    total = int(psutil.virtual_memory().total + psutil.swap_memory().total)
    for folder in _folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            most = _words(folder / name)
            if most and most[0].isdigit():
                total = min(total, int(most[0]))
    return total


def used_memory() -> int:
    """Return the bytes of main memory that this process holds."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def share_freed_memory() -> None:
    """Have the C library's threads take memory from one place, that all give back to.

    glibc gives each thread a place of its own, and what one thread has freed no other
    can take: a sixth of the memory that prediction takes. It holds for the process.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(*ONE_PLACE)


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next array of that size.

    Feature maps of some megabytes are freed and asked for again in each layer. glibc
    gives them back to the system, which hands out zeroed pages again: an eighth of a
    training step. Other C libraries are left as they are. It holds for the process.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for parameter, value in MALLOC.items():
        library.mallopt(parameter, value)


def give_large_arrays_pages() -> None:
    """Have the C library give arrays of a megabyte and more back when they are freed.

    glibc puts arrays into one heap once it has freed one of that size. Where something
    small is kept of each, as objects are of the outputs of a window, what is freed lies
    between what is kept, and nothing large fits there again: memory grows with each
    window. It holds for the process.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(*LARGE)


def _cached(folder: Path) -> int:
    words = _words(folder / "memory.stat")
    table = dict(zip(words[::2], words[1::2], strict=False))
    return int(table.get("total_inactive_file", table.get("inactive_file", "0")))


def _folders(kind: str) -> list[Path]:
    """Return this process's control group and all above it, of both versions."""
    found = []
    for line in _text(MEMBERSHIP).splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and kind not in kinds.split(","):
            continue
        top = CGROUPS / kinds if kinds else CGROUPS
        inner = top / path.lstrip("/")
        found += [inner, *(f for f in inner.parents if f.is_relative_to(top))]
    return found


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # no such limit here, or no such system
        return ""
