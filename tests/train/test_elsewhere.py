"""Folds on the workers of a cluster, one of which has a GPU; bash trains here."""

import json
import logging
import os
import signal
import sys
import threading
import time

import pytest

from autoseg.errors import TrainingError, UsageError
from autoseg.parallel import current_cluster, map_cases, on_cluster
from autoseg.train.elsewhere import FoldOrder, train_on_cluster

distributed = pytest.importorskip("distributed", reason="the extra cluster is missing")

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of ports and loops
    pytest.mark.skipif(sys.platform == "win32", reason="there is no bash"),
]


@pytest.fixture(scope="module")
def word():
    """Two workers in this process, of which the one called 1 has a GPU."""
    workers = {
        name: {
            "cls": distributed.Worker,
            "options": {"nthreads": 1, "resources": there, "memory_limit": 0},
        }
        for name, there in enumerate(({}, {"GPU": 1}))
    }
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"dashboard": False, "host": "127.0.0.1"},
    }
    with distributed.SpecCluster(
        workers, scheduler, silence_logs=logging.CRITICAL
    ) as made:
        yield made.scheduler_address


@pytest.fixture
def trains(tmp_path, monkeypatch):
    """Have bash train, by these lines; return the orders of so many folds."""
    monkeypatch.setattr("autoseg.train.elsewhere.POLL_SECONDS", 0.02)

    def trains(lines, folds=1):
        program = tmp_path / "program"
        program.write_text(f"#!/usr/bin/env bash\nread -r call\n{lines}\n")
        program.chmod(0o755)
        monkeypatch.setattr("autoseg.train.elsewhere.sys.executable", str(program))
        return [
            FoldOrder(folder=tmp_path / f"fold_{n}", call={"fold": n})
            for n in range(folds)
        ]

    return trains


def _when_and_where(order):
    worker = distributed.get_worker().name
    (order.folder.parent / f"{order.folder.name}.{worker}").touch()
    begin = time.monotonic()
    time.sleep(0.05)
    (order.folder.parent / f"{order.folder.name}.json").write_text(
        json.dumps([begin, time.monotonic()])
    )


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_folds_wait_for_the_worker_that_has_a_gpu(
    word, trains, device, monkeypatch, tmp_path
):
    orders = trains("", folds=3)
    monkeypatch.setattr(FoldOrder, "train", _when_and_where)

    with on_cluster(word):
        assert current_cluster().has("GPU")
        train_on_cluster(orders, device)

    assert sorted(path.name for path in tmp_path.glob("*.[01]")) == [
        f"fold_{n}.1" for n in range(3)
    ]
    times = sorted(json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert all(a[1] <= b[0] for a, b in zip(times, times[1:], strict=False))


def test_folds_on_a_cpu_wait_for_no_gpu_and_more_gpus_than_there_are_are_told(
    word, trains, monkeypatch, tmp_path
):
    orders = trains("", folds=4)
    monkeypatch.setattr(FoldOrder, "train", _when_and_where)

    with on_cluster(word):
        train_on_cluster(orders, "cpu")
        with pytest.raises(UsageError, match="has the resource GPU=2"):
            train_on_cluster(orders, "cuda", processes=2)

    assert {path.suffix for path in tmp_path.glob("*.[01]")} == {".0", ".1"}


def test_what_a_fold_is_told_and_says_is_in_its_folder(word, trains, tmp_path):
    orders = trains('echo "told $call"; echo "$AUTOSEG_WORKERS_HERE" >&2', folds=2)

    with on_cluster(word):
        train_on_cluster(orders, "cpu")

    for number in range(2):
        said = (tmp_path / f"fold_{number}" / "output.txt").read_text().splitlines()
        assert said == [f'told {{"fold": {number}}}', "1"]


def test_a_fold_that_fails_costs_no_other_and_says_where_to_look(
    word, trains, tmp_path
):
    orders = trains('case "$call" in *1*) exit 2;; esac; echo trained', folds=3)

    with on_cluster(word), pytest.raises(TrainingError) as caught:
        train_on_cluster(orders, "cpu")

    assert "1 fold failed; the others are finished" in str(caught.value)
    assert str(tmp_path / "fold_1" / "output.txt") in str(caught.value)
    assert (tmp_path / "fold_2" / "output.txt").read_text() == "trained\n"


def test_ctrl_c_ends_the_training_and_not_the_cluster(word, trains, tmp_path):
    began, ended = tmp_path / "began", tmp_path / "ended"
    orders = trains(f'touch "{began}"; cat; touch "{ended}"')

    def interrupt_once_it_trains():
        while not began.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    with on_cluster(word):
        threading.Thread(target=interrupt_once_it_trains).start()
        with pytest.raises(KeyboardInterrupt):
            train_on_cluster(orders, "cpu")
        until = time.monotonic() + 60
        while not ended.exists() and time.monotonic() < until:
            time.sleep(0.01)
        again = map_cases(str, range(2), stage="test")

    assert ended.exists()  # its life line was cut, which is a wish to stop
    assert again == {"0": "0", "1": "1"}
