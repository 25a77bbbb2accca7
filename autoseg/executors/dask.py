"""Workers of a Dask cluster.

Items are submitted a few ahead of the workers, never all at once: scheduler and this
process hold no more of 100,000 cases than of 1,000. A worker that dies gives its items
back to the scheduler, which has others try them.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from distributed import Client, KilledWorker, get_worker

from autoseg.errors import AutosegError, ClusterError, UsageError, amount
from autoseg.executors.base import Work
from autoseg.executors.elsewhere import Order, Outcome, perform, workers_of

REFRESH_SECONDS = 5.0  # between looks at how many workers there are
ORDERLY = 16  # times as many may wait as are worked on, to be handed on in order
TOGETHER_SECONDS = 1.0  # that items which are sent together take
MOST_TOGETHER = 64

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Sent:
    """An item that was submitted, and the future of whoever waits for it."""

    item: Any
    future: Future[Any]

    def settle(self, outcome: Outcome) -> None:
        """Say what came of it."""
        try:
            self.future.set_result(outcome.given())
        except Exception as error:
            self.future.set_exception(error)


def _fail(sent: Sequence[_Sent], error: Exception) -> None:
    for one in sent:
        one.future.set_exception(error)


class Sizes:
    """How many items are sent at a time.

    A message costs some 10 ms of processor time, whatever is in it. So items that are
    soon done go together, as many as take a second; fewer towards the end, so that all
    workers are done at the same time.

    Parameters
    ----------
    count : int
        Items in all.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self._seconds, self._items = 0.0, 0.0

    def next(self, slots: int) -> int:
        """Return how many go together now, to one of so many slots."""
        if not self._items:
            return 1  # nothing is known yet
        mean = max(self._seconds / self._items, 1e-6)
        fair = self._left // (4 * slots)
        return max(1, min(MOST_TOGETHER, int(TOGETHER_SECONDS / mean), fair))

    def sent(self, items: int) -> None:
        """Note that so many were sent."""
        self._left -= items

    def took(self, outcomes: Sequence[Outcome]) -> None:
        """Note how long some took; what is long ago counts less."""
        self._seconds = 0.9 * self._seconds + sum(one.seconds for one in outcomes)
        self._items = 0.9 * self._items + len(outcomes)


class DaskExecutor:
    """An `Executor` of the workers of a cluster.

    Parameters
    ----------
    client : Client
        Of the cluster.
    name : str
        Of the job, for the cluster's dashboard.
    order : Order
        What workers have to agree to.
    count : int
        How many items there will be.
    most : int, optional
        Items worked on at the same time, at most.
    resources : mapping of str to float
        What an item needs of a worker.

    Raises
    ------
    UsageError
        If no worker has such resources.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        order: Order,
        *,
        count: int,
        most: int | None = None,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self._client = client
        self._name = f"{name.replace(' ', '_')}-{uuid.uuid4().hex}"
        self._order = order
        self._most = most
        self._resources = dict(resources or {})
        self._pool = client.get_executor(
            pure=False, retries=0, resources=self._resources or None
        )
        self._sizes = Sizes(count)
        self._work: Work | None = None
        self._held: list[_Sent] = []  # submitted, and not sent
        self._tasks = itertools.count()
        self._running: set[Future[Any]] = set()
        self._slots, self._looked = 0, -math.inf
        self._told = False
        self._must_have_resources()

    @property
    def slots(self) -> int:
        """How many items the workers that are there now take at the same time."""
        if time.monotonic() - self._looked > REFRESH_SECONDS:
            found = sum(map(self._slots_of, self._workers().values()))
            self._slots, self._looked = found, time.monotonic()
        return max(1, min(self._slots, self._most or self._slots))

    def has_room(self, running: int, waiting: int) -> bool:
        """Two tasks for each slot; one of what needs resources, which no queue holds.

        Results are small beside images, so that a long case among short ones need not
        hold many workers up.
        """
        slots = self.slots
        few = bool(self._resources) or slots == self._most
        return len(self._running) < slots * (1 if few else 2) and (
            waiting < ORDERLY * slots * self._sizes.next(slots)
        )

    def submit(self, work: Work, item: Any) -> Future[Any]:
        """Have an item worked on, maybe with those that come next."""
        mine: Future[Any] = Future()
        mine.set_running_or_notify_cancel()
        self._work = work
        self._held.append(_Sent(item, mine))
        if len(self._held) >= self._size():
            self.flush()
        return mine

    def flush(self) -> None:
        """Send what is held back."""
        if self._held:
            self._sizes.sent(len(self._held))
            self._send(self._held)
            self._held = []

    def _size(self) -> int:
        return 1 if self._resources else self._sizes.next(self.slots)

    def _send(self, sent: list[_Sent]) -> None:
        items = [one.item for one in sent]
        key = (self._name, next(self._tasks))
        task = self._pool.submit(_on_worker, self._work, items, self._order, key=key)
        self._running.add(task)
        task.add_done_callback(lambda done: self._settle(sent, done))

    def watch(self) -> None:
        """Say once that there is no worker; raise if there is no scheduler."""
        if self._client.status not in ("running", "connecting"):
            raise ClusterError(_LOST)
        there = any(map(self._slots_of, self._workers().values()))
        if not there and not self._told:
            log.warning("The cluster has no worker now; waiting for one.")
        self._told = not there

    def shutdown(self) -> None:
        """Have the cluster forget what is not done; the cluster goes on."""
        if self._client.status == "running":
            self._pool.shutdown(wait=False)

    def _settle(self, sent: list[_Sent], done: Future[Any]) -> None:
        """Hand on what came of items, in a thread of the client."""
        self._running.discard(done)
        try:
            outcomes: list[Outcome] = done.result()
        except CancelledError:
            _fail(sent, ClusterError(_LOST))
        except KilledWorker as error:
            if len(sent) == 1:
                _fail(sent, _killed(error))
            else:  # one of them did it
                for one in sent:
                    self._send([one])
        except Exception as error:
            _fail(sent, _not_begun(error))
        else:
            self._sizes.took(outcomes)
            for one, outcome in zip(sent, outcomes, strict=True):
                one.settle(outcome)

    def _workers(self) -> Mapping[str, Mapping[str, Any]]:
        if self._client.status != "running":
            return {}
        return workers_of(self._client)

    def _slots_of(self, worker: Mapping[str, Any]) -> int:
        there = worker.get("resources", {})
        shares = [there.get(name, 0) // n for name, n in self._resources.items()]
        return int(min([worker["nthreads"], *shares]))

    def _must_have_resources(self) -> None:
        workers = self._workers().values()
        if self._resources and not any(map(self._slots_of, workers)):
            wanted = " ".join(f"{n}={v:g}" for n, v in self._resources.items())
            command = f'dask worker SCHEDULER --nthreads 1 --resources "{wanted}"'
            raise UsageError(
                f"None of the cluster's {amount(len(workers), 'worker')} has the "
                f"resource {wanted}, by which a training finds a GPU. Start those that "
                f"have one with `{command}`, or train with --device cpu."
            )


_LOST = (
    "the cluster's scheduler is gone, or has forgotten this job. What is finished is "
    "kept; the same command goes on from there."
)


def _killed(error: KilledWorker) -> AutosegError:
    tries = error.allowed_failures + 1
    return AutosegError(
        f"{tries} workers that tried it died, the last at "
        f"{getattr(error.last_worker, 'address', 'an unknown address')}. Mostly there "
        "was too little memory: give workers more, or fewer threads."
    )


def _not_begun(error: Exception) -> ClusterError:
    return ClusterError(
        f"a worker could not begin ({type(error).__name__}: {error}). Workers need the "
        "same Python, autoseg and Dask as this command: start them in the same "
        "environment."
    )


def _on_worker(work: Work, items: Sequence[Any], order: Order) -> list[Outcome]:
    """Work on items, with this worker's share of its process."""
    return perform(work, items, order, get_worker().state.nthreads)


def is_wanted() -> Callable[[], bool]:
    """Return what says whether the task that this is called in is wanted still.

    Dask cannot stop a task that has begun; one that takes long asks for itself. Nobody
    wants it once it was canceled, or whoever asked for it is gone.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state in ("executing", "long-running")

    return wanted
