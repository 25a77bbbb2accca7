"""100,000 cases on 200 workers: time lost to scheduling, and memory of the driver.

    python benchmarks/cluster_simulation.py [--durations FILE] [--scale 100]

`map_cases` itself hands the cases out, to an executor whose workers are a heap of
times: no second is waited. What a message costs is measured first, with a real
scheduler of two workers in this process and cases that do nothing: the driver's and
scheduler's processor time is one server, through which all messages go one after the
other, and half of a round trip is latency. Durations are drawn from FILE (a JSON list
of seconds, by `cluster.py --durations`) times ``--scale``, or from a log-normal
distribution with a median of 5 s. The loss is the share of the workers' time in which
they had nothing to do, the end included. Memory is that of the process, at a tenth of
the cases and at the end; that of the scheduler is measured with real tasks.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import logging
import statistics
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from autoseg import parallel
from autoseg.executors.dask import ORDERLY, Sizes
from autoseg.executors.elsewhere import Outcome


class Simulated:
    """An `Executor` of workers that take their time from a list.

    Parameters
    ----------
    durations : ndarray of float, shape (N,)
        Seconds of each case.
    workers : int
        How many.
    service, latency : float
        Seconds that a message keeps the scheduler, and that it is on its way.
    """

    def __init__(
        self, durations: Any, workers: int, service: float, latency: float
    ) -> None:
        self.slots = workers
        self._durations, self._service, self._latency = durations, service, latency
        self._sizes = Sizes(len(durations))
        self._held: list[tuple[int, Future[Any]]] = []
        self._free = [0.0] * workers  # when each worker is free
        self._server = 0.0  # when the scheduler is
        self.now = 0.0
        self._done: list[tuple[float, int, list[tuple[int, Future[Any]]]]] = []
        self._number = itertools.count()
        self.busy, self.messages = 0.0, 0

    def has_room(self, running: int, waiting: int) -> bool:
        """As `DaskExecutor`."""
        most = ORDERLY * self.slots * self._sizes.next(self.slots)
        return len(self._done) < 2 * self.slots and waiting < most

    def submit(self, work: Any, item: int) -> Future[Any]:
        """Hold an item back until there are as many as go together."""
        future: Future[Any] = Future()
        self._held.append((item, future))
        if len(self._held) >= self._sizes.next(self.slots):
            self._send()
        return future

    def _send(self) -> None:
        if not self._held:
            return
        self._sizes.sent(len(self._held))
        self._server = max(self._server, self.now) + self._service
        free = heapq.heappop(self._free)
        # Two tasks are there for each worker, so that the next is there already.
        begin = max(free, self._server + self._latency)
        took = float(sum(self._durations[item] for item, _ in self._held))
        end = begin + took
        self.busy += took
        heapq.heappush(self._free, end)
        heapq.heappush(self._done, (end, next(self._number), self._held))
        self._held, self.messages = [], self.messages + 1

    def flush(self) -> None:
        """Go on to when the next task is done."""
        self._send()
        end, _, items = heapq.heappop(self._done)
        self.now = max(self.now, end + self._latency)
        outcomes = [Outcome(seconds=float(self._durations[item])) for item, _ in items]
        self._sizes.took(outcomes)
        for _, future in items:
            future.set_result(None)

    def watch(self) -> None:
        """Nothing goes wrong here."""

    def shutdown(self) -> None:
        """Nothing is left."""


def measured(tasks: int) -> tuple[float, float, list[float]]:
    """Return processor seconds and round trip of a message, and memory meanwhile."""
    from distributed import LocalCluster

    process, memory = psutil.Process(), []
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, memory_limit=0,
        dashboard_address=None, silence_logs=logging.CRITICAL,
    ) as cluster, parallel.on_cluster(cluster.scheduler_address):  # fmt: skip
        import autoseg.executors.dask as dask

        together, dask.MOST_TOGETHER = dask.MOST_TOGETHER, 1
        try:
            parallel.map_cases(int, range(50), stage="warm up")
            trips = []
            for number in range(20):
                start = time.perf_counter()
                parallel.map_cases(int, [number], stage="one")
                trips.append(time.perf_counter() - start)
            start = time.process_time()
            for _ in range(10):
                parallel.map_cases(int, range(tasks // 10), stage="many")
                memory.append(process.memory_info().rss / 2**20)
            used = (time.process_time() - start) / tasks
        finally:
            dask.MOST_TOGETHER = together
    return used, statistics.median(trips) / 2, memory


def main() -> None:
    """Measure, simulate, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--durations", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--tasks", type=int, default=2_000, help="of the real cluster")
    given = parser.parse_args()
    service, latency, memory = measured(given.tasks)
    print(f"a message: {1e3 * service:.1f} ms of the processor, {1e3 * latency:.0f} ms")
    print(f"scheduler and driver: {memory[0]:.0f} MiB, at the end {memory[-1]:.0f} MiB")
    rng = np.random.default_rng(0)
    if given.durations is None:
        durations = 5 * np.exp(rng.normal(0, 0.7, given.cases))
    else:
        known = json.loads(given.durations.read_text())
        durations = rng.choice(known, given.cases) * given.scale
    print(
        f"cases: median {np.median(durations):.3f} s, longest {durations.max():.2f} s"
    )
    executor = Simulated(durations, given.workers, service, latency)
    parallel._executor = lambda *_: executor
    held: list[float] = []

    def done(item: int, result: Any) -> None:
        if item % (given.cases // 10) == given.cases // 10 - 1:
            held.append(psutil.Process().memory_info().rss / 2**20)

    parallel.map_cases(int, range(given.cases), stage="simulate", done=done)
    whole = executor.now * given.workers
    print(
        f"{given.cases} cases, {given.workers} workers, {executor.messages} messages: "
        f"{executor.now:.0f} s, {100 * (1 - executor.busy / whole):.2f} % of the "
        f"workers' time lost; driver's memory {held[0]:.1f} MiB at a tenth, "
        f"{held[-1]:.1f} MiB at the end"
    )


if __name__ == "__main__":
    main()
