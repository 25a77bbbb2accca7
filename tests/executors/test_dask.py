"""Cases on the workers of a Dask cluster."""

import asyncio
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path
from unittest import mock

import psutil
import pytest

from autoseg.cli.main import main
from autoseg.errors import CaseErrors, ClusterError, FormatError, UsageError
from autoseg.executors.elsewhere import Order, kept, portable, workers_of
from autoseg.executors.nest import can_nest, is_alone
from autoseg.machine import cores
from autoseg.parallel import (
    MemoryBudget,
    current_cluster,
    map_cases,
    on_cluster,
    threads_here,
)
from tests import toy, workers
from tests.forked import Forked

distributed = pytest.importorskip("distributed", reason="the extra cluster is missing")
from autoseg.executors.dask import Sizes  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own, of ports and loops


@pytest.fixture(scope="module")
def cluster():
    """Two workers in this process, whose address is that of a cluster; no GPU."""
    with workers.here(2) as made:
        yield made


@pytest.fixture(scope="module")
def word(cluster):
    return cluster.scheduler_address


def test_results_come_in_the_order_of_the_items(word):
    seen = []

    def slow_for_small(n):
        time.sleep(0.002 * (5 - n))
        return n * n

    with on_cluster(word):
        results = map_cases(slow_for_small, range(5), stage="test")
        map_cases(
            slow_for_small, range(5), stage="test", done=lambda *pair: seen.append(pair)
        )

    assert list(results.items()) == [(str(n), n * n) for n in range(5)]
    assert seen == [(n, n * n) for n in range(5)]
    assert current_cluster() is None


def test_a_case_that_fails_says_why_and_costs_no_other(word, caplog):
    def work(n):
        if n == 1:
            raise FormatError("file 1 is broken.")
        return {}["no such key"] if n == 2 else n

    with on_cluster(word), pytest.raises(CaseErrors) as caught:
        map_cases(work, range(4), stage="preprocess", name="case{}".format)

    assert caught.value.finished == 2
    assert "case1: file 1 is broken." in str(caught.value)
    assert isinstance(caught.value.failures["case2"], KeyError)
    assert "in work\nKeyError: 'no such key'" in caplog.text  # where it was raised


def test_what_stops_everything_stops_it(word):
    def full(n):
        raise OSError(28, "No space left on device")

    with on_cluster(word), pytest.raises(OSError, match="No space left"):
        map_cases(full, range(4), stage="test")


def test_the_bar_counts_the_cases_of_all_workers(word, monkeypatch):
    steps = []
    monkeypatch.setattr(
        "autoseg.parallel.Progress.step", lambda bar, text: steps.append(text)
    )

    with on_cluster(word):
        map_cases(str, range(7), stage="test")

    assert sorted(steps) == list("0123456")


def test_workers_of_one_process_share_its_memory_and_its_threads(word, monkeypatch):
    monkeypatch.setattr("autoseg.executors.elsewhere.cores", lambda: 8)

    def look(n, memory):
        return id(memory), threads_here()

    with on_cluster(word):
        found = map_cases(partial(look, memory=MemoryBudget()), range(2), stage="test")

    assert len(set(found.values())) == 1
    assert found["0"][1] == 8  # of a worker with one thread


def _touch(n, folder):
    time.sleep(0.02)
    (Path(folder) / str(n)).touch()


def test_an_interrupt_ends_the_job_and_not_the_cluster(word, cluster, tmp_path):
    def interrupt(item, result):
        raise KeyboardInterrupt

    with on_cluster(word):
        with pytest.raises(KeyboardInterrupt):
            work = partial(_touch, folder=str(tmp_path))
            map_cases(work, range(40), stage="test", done=interrupt)
        again = map_cases(str, range(3), stage="test")

    assert list(again) == ["0", "1", "2"]
    assert len(list(tmp_path.iterdir())) <= 6  # the rest was never begun


def test_few_cases_are_given_to_the_scheduler_at_a_time(word, cluster):
    there = []

    with on_cluster(word):
        map_cases(
            lambda n: n,
            range(300),
            stage="test",
            done=lambda *_: there.append(len(cluster.scheduler.tasks)),
        )

    assert len(there) == 300
    assert 0 < max(there) <= 8  # two for each of two workers, and what is just done


def test_cases_that_are_soon_done_are_sent_together():
    class Took:
        seconds = 0.1

    sizes = Sizes(1000)
    first = sizes.next(slots=2)
    sizes.sent(first)
    sizes.took([Took()])
    second = sizes.next(slots=2)
    sizes.sent(975)

    assert (first, second) == (1, 10)  # that take a second
    assert sizes.next(slots=2) == 3  # 24 are left, a fourth of what each slot will do


def test_what_only_some_workers_have_is_asked_for(word):
    with on_cluster(word):
        with pytest.raises(UsageError, match=r"None of the cluster's 2 workers has"):
            map_cases(str, [1], stage="train", resources={"GPU": 1})
        assert not current_cluster().has("GPU")


def test_another_version_and_files_elsewhere_are_told(word, tmp_path):
    order = Order(version="0.0.1")
    unseen = Order(files={str(tmp_path / "gone.json"): 3})
    (tmp_path / "there").write_text("abc")

    with pytest.raises(ClusterError, match=r"has autoseg .* and this command 0\.0\.1"):
        order.check()
    with pytest.raises(ClusterError, match=r"does not see .*gone\.json"):
        unseen.check()
    with pytest.raises(ClusterError, match="something else there"):
        Order(files={str(tmp_path / "there"): 4}).check()
    Order(files={str(tmp_path / "there"): 3, str(tmp_path): None}).check()


def test_a_folder_that_is_written_into_is_marked_for_the_time(word, tmp_path):
    with on_cluster(word, written=tmp_path / "out"):
        marks = list((tmp_path / "out").iterdir())
        found = map_cases(lambda n: marks[0].exists(), [0], stage="test")
        marks[0].unlink()
        with pytest.raises(ClusterError, match="does not see"):
            map_cases(str, [0], stage="test")

    assert found == {"0": True}
    assert list((tmp_path / "out").iterdir()) == []


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize("error", [Odd(1, 2), ValueError(object)], ids=["odd", "class"])
def test_an_error_that_cannot_be_sent_says_the_same(error):
    assert repr(portable(error)) == repr(error)
    assert not isinstance(portable(error), (Odd, ValueError))


def test_an_error_that_can_be_sent_is_itself():
    error = FormatError("broken")

    assert portable(error) is error


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("lokal:2", r"Did you mean 'local:2'\?"),
        ("local:0", "with N from 1 on"),
        ("nowhere.json", "no such file"),
        ("tcp://127.0.0.1:9", "no scheduler answers"),
    ],
)
def test_a_cluster_that_cannot_be_meant_is_told(given, why, monkeypatch):
    monkeypatch.setattr("autoseg.executors.cluster.CONNECT_SECONDS", 0.2)

    with pytest.raises(UsageError, match=why), on_cluster(given):
        pass


def _has_jobqueue():
    """Skip without dask-jobqueue; to import it here would change what Ctrl-C does."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("the extra cluster is missing")


def test_ctrl_c_interrupts_as_before_although_slurm_was_asked(tmp_path, monkeypatch):
    _has_jobqueue()
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "c.toml").write_text('qeue = "gpu"')
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(UsageError, match="Did you mean"):
        with on_cluster(str(tmp_path / "c.toml")):
            pass

    assert "dask_jobqueue.slurm" in sys.modules  # it was imported again
    assert signal.getsignal(signal.SIGINT) is before


def test_a_file_that_is_no_scheduler_file_is_told(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "b.toml").write_text("jobs = ")
    (tmp_path / "c.toml").write_text('jobs = 2\nqeue = "gpu"')

    with pytest.raises(UsageError, match="is no scheduler file"):
        with on_cluster(str(tmp_path / "a.json")):
            pass
    _has_jobqueue()
    with pytest.raises(UsageError, match="cannot be read"):
        with on_cluster(str(tmp_path / "b.toml")):
            pass
    with pytest.raises(UsageError, match="Did you mean 'queue'"):
        with on_cluster(str(tmp_path / "c.toml")):
            pass


def _be_the_job(folder):
    """Do what a job's script says, as soon as there is one, in this process."""
    script = folder / "job.sh"
    until = time.monotonic() + 60
    while not script.exists() and time.monotonic() < until:
        time.sleep(0.02)
    words = script.read_text().split()

    async def work():
        worker = distributed.Worker(
            next(word for word in words if word.startswith("tcp://")),
            name=words[words.index("--name") + 1],
            nthreads=1,
            memory_limit=0,
        )
        async with worker:
            await worker.finished()

    asyncio.run(work())


@pytest.mark.skipif(os.name == "nt", reason="there is no bash")
def test_slurm_is_asked_for_workers_and_they_end_with_the_job(tmp_path, monkeypatch):
    _has_jobqueue()
    programs = {
        "sbatch": 'cat "$1" > part && mv part job.sh\necho "Submitted batch job 42"',
        "scancel": 'echo "$*" > canceled',
    }
    for name, lines in programs.items():
        (tmp_path / name).write_text(f'#!/bin/sh\ncd "{tmp_path}"\n{lines}\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "slurm.toml").write_text(
        'cores = 4\nprocesses = 2\nmemory = "8 GB"\nqueue = "gpu"\n'
        'worker_extra_args = ["--resources", "GPU=1"]\n'
    )
    job = threading.Thread(target=_be_the_job, args=(tmp_path,))
    job.start()

    with on_cluster(str(tmp_path / "slurm.toml")):
        found = map_cases(str, range(3), stage="test")
        assert not (tmp_path / "canceled").exists()
    job.join(60)

    assert list(found) == ["0", "1", "2"]
    script = (tmp_path / "job.sh").read_text()
    assert "#SBATCH -p gpu\n" in script and "--resources GPU=1" in script
    assert "export AUTOSEG_WORKERS_HERE=2\n" in script
    # The last of several counts.
    assert script[script.rindex("--memory-limit") :].split()[1] == "0"
    assert (tmp_path / "canceled").read_text().split() == ["42"]
    assert not job.is_alive()


def test_a_scheduler_without_workers_is_told(monkeypatch):
    monkeypatch.setattr("autoseg.executors.cluster.WORKER_SECONDS", 0.1)
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=None
    ) as empty:
        with pytest.raises(UsageError, match="the scheduler has no worker"):
            with on_cluster(empty.scheduler_address):
                pass


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)

    with pytest.raises(UsageError, match=r'pip install "autoseg\[cluster\]"'):
        with on_cluster("local:2"):
            pass


TIMED = ("autoseg_files.jsonl", "stages.jsonl")  # they say when, and how long it took


def _contents(folder: Path) -> dict[str, bytes]:
    """Return all files, but for times of the copied sources and journals."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in TIMED
    }


def test_stages_write_the_same_bytes_as_threads_do(
    word, tmp_path, cluster, monkeypatch
):
    data = toy.volumes(tmp_path / "Toy", cases=4)
    options = ["-c", "3d_fullres"]
    monkeypatch.chdir(tmp_path)  # paths that only this process understands

    for root, extra in (("a", []), ("b", ["--cluster", word])):
        assert (
            main(["plan_and_preprocess", "Toy", "--root", root, *options, *extra]) == 0
        )
        flags = ["-p", "Toy/labelsTr", "-d", "Toy", "-o", f"{root}.json"]
        assert main(["evaluate", *flags, "--root", root, *extra]) == 0

    assert data.is_dir()
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    scored = json.loads((tmp_path / "b.json").read_text())
    assert len(scored["cases"]) == 4
    assert not cluster.scheduler.tasks  # nothing is left behind


def _die_once(n, folder):
    """Kill the worker that has the third case, the first time."""
    mark = Path(folder) / "died"
    if n == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n, os.getpid(), os.getppid(), threads_here()


def _with_workers_of_its_own(folder, alone):
    """Work on six cases by two workers; write what is found."""
    log = logging.getLogger("autoseg")
    with mock.patch("autoseg.executors.nest.is_alone", lambda: alone):
        with on_cluster("local:2", needs=["there.is.no.such.module"]):
            found = map_cases(
                partial(_die_once, folder=str(folder)), range(6), stage="test"
            )
            said = map_cases(partial(log.warning, "case %d"), [7], stage="test")
    assert said == {"7": None}  # and the line is printed once
    (folder / "found.json").write_text(json.dumps([*found.values()]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize("alone", [True, False], ids=["forked", "started"])
def test_a_case_whose_worker_dies_is_tried_elsewhere(tmp_path, alone):
    process = Forked(tmp_path / "said", _with_workers_of_its_own, (tmp_path, alone), {})

    code, said = process.wait(300)

    assert code == 0, said
    assert "Warning" not in said and said.count("case 7\n") == 1
    found = json.loads((tmp_path / "found.json").read_text())
    numbers, workers, parents, threads = zip(*found, strict=True)
    assert numbers == tuple(range(6))
    assert (tmp_path / "died").exists()
    if can_nest():
        assert len(set(parents)) == 1
        for pid in {*workers, *parents}:  # and the one that forked them
            assert not psutil.pid_exists(pid)
    assert set(threads) == {max(1, cores() // 2)}


def test_nobody_forks_a_process_that_has_threads():
    ready = threading.Event()
    thread = threading.Thread(target=ready.wait)
    thread.start()
    try:
        assert not is_alone()
    finally:
        ready.set()
        thread.join()


def test_a_cluster_of_more_workers_than_are_told_by_default_is_asked_for_all():
    class Client:
        def scheduler_info(self, n_workers=5, **others):
            shown = 9 if n_workers == -1 else min(n_workers, 9)
            return {"workers": {f"tcp://{n}": {} for n in range(shown)}}

    class Older:
        def scheduler_info(self, **others):
            assert not others
            return {"workers": {"tcp://0": {}}}

    assert len(workers_of(Client())) == 9
    assert len(workers_of(Older())) == 1


def test_what_a_job_keeps_is_made_once_and_dropped_at_its_end(word):
    made = []

    def make():
        made.append(1)
        return len(made)

    with on_cluster(word):
        assert [kept("a", make), kept("a", make)] == [1, 1]
        current_cluster().forget("b")
        assert kept("a", make) == 1
        current_cluster().forget("a")
        assert kept("a", make) == 2
        assert (kept("b", make), kept("a", make)) == (3, 4)  # the last job's only
        current_cluster().forget("a")
