"""What does a Dask cluster of this machine cost beside threads, and is it the same?

    python benchmarks/cluster.py DATASET [--workers 2] [--rounds 3] [-c 3d_fullres]

Fingerprint and preprocessing of a data set, by turns in threads and by ``--cluster
local:N``, each in a process of its own and a new ROOT; seconds of the processor (of all
processes) and by the clock, medians, and the same for a cluster that has nothing to do,
which is what starting and ending one costs. Then all files that the last two runs wrote
are compared byte for byte. Seconds of each case are kept for `cluster_simulation.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
NOTHING = (
    "from autoseg.parallel import map_cases, on_cluster\n"
    "if __name__ == '__main__':\n"
    "    with on_cluster('{word}'):\n"
    "        map_cases(str, range({count}), stage='nothing')\n"
)


def timed(*command: str) -> tuple[float, float]:
    """Return seconds of the processor and by the clock that a process takes."""
    place = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *command], env=place, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    passed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used, passed


def prepare(dataset: Path, root: Path, name: str, *extra: str) -> tuple[float, float]:
    """Return what fingerprint, plan and preprocessing of a data set take."""
    words = ("plan_and_preprocess", str(dataset), "--root", str(root), "-c", name)
    return timed("-m", "autoseg", *words, *extra)


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of a ROOT."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def seconds_of_cases(dataset: Path, root: Path, name: str) -> list[float]:
    """Return how long each case takes alone: measured and prepared once more."""
    import autoseg
    from autoseg import parallel

    found: list[float] = []
    alone = parallel._alone

    def noted(function, item, threads):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        result = alone(function, item, threads)
        found.append(time.perf_counter() - start)
        return result

    parallel._alone = noted
    try:
        with contextlib.redirect_stderr(None):
            autoseg.plan_and_preprocess(dataset, root, configurations=[name], workers=1)
    finally:
        parallel._alone = alone
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-c", dest="configuration", default="3d_fullres")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--durations", type=Path, help="where seconds of cases go")
    given = parser.parse_args()
    word = f"local:{given.workers}"
    sides: dict[str, list[tuple[float, float]]] = {"threads": [], word: [], "empty": []}
    with tempfile.TemporaryDirectory() as folder:
        roots = {side: Path(folder) / side.partition(":")[0] for side in sides}
        script = Path(folder) / "nothing.py"
        script.write_text(NOTHING.format(word=word, count=given.workers))
        for _ in range(given.rounds):
            for side in ("threads", word):
                subprocess.run(["rm", "-rf", str(roots[side])], check=True)
                extra = () if side == "threads" else ("--cluster", word)
                where = given.dataset, roots[side], given.configuration
                sides[side].append(prepare(*where, *extra))
            sides["empty"].append(timed(str(script)))
        same = contents(roots["threads"]) == contents(roots[word])
        count = len(contents(roots[word]))
        if given.durations is not None:
            where = given.dataset, Path(folder) / "once", given.configuration
            given.durations.write_text(json.dumps(seconds_of_cases(*where)))
    print(f"{'':12} processor   clock    (seconds, medians of {given.rounds})")
    middle = {
        side: [statistics.median(run[i] for run in runs) for i in range(2)]
        for side, runs in sides.items()
    }
    for side, (used, passed) in middle.items():
        print(f"{side:12} {used:8.2f} {passed:8.2f}")
    for number, what in enumerate(("processor", "clock")):
        base, other, empty = (middle[side][number] for side in sides)
        print(
            f"over threads, {what}: {100 * (other / base - 1):.0f} %, without starting "
            f"the cluster {100 * ((other - empty) / base - 1):.0f} %"
        )
    print(f"{count} files, {'all equal' if same else 'NOT EQUAL'}")


if __name__ == "__main__":
    main()
