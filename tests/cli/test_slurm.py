"""The script for SLURM: read by bash, run with an sbatch that only writes down."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

import autoseg
from autoseg.cli.main import main
from autoseg.errors import UsageError
from tests import toy

# Prints numbers from 101 on, as `sbatch --parsable` does, and keeps what it is given.
SBATCH = """#!/usr/bin/env bash
number=$((101 + $(ls "$KEPT" | wc -l) / 2))
printf '%s\\n' "$@" > "$KEPT/$number.options"
cat > "$KEPT/$number.job"
echo "$number"
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my data") / "Dataset001_Toy"
    return toy.volumes(folder, cases=2)


@pytest.fixture
def run(tmp_path):
    """Run a script with a pretended cluster; return its jobs by number."""
    kept, programs = tmp_path / "kept", tmp_path / "programs"
    kept.mkdir()
    programs.mkdir()
    (programs / "sbatch").write_text(SBATCH)
    (programs / "sbatch").chmod(0o755)

    def run(script):
        path = tmp_path / "job.sh"
        path.write_text(script)
        subprocess.run(["bash", "-n", path], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", path], check=True)
        environment = {
            **os.environ,
            "KEPT": str(kept),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        subprocess.run(["bash", path], check=True, env=environment)
        for job in kept.glob("*.job"):
            subprocess.run(["bash", "-n", job], check=True)
        jobs = {}
        for file in sorted(kept.glob("*.options")):
            options = file.read_text().splitlines()
            names = [o for o in options if o.startswith("--job-name=")]
            jobs[int(file.stem)] = (
                names[0].removeprefix("--job-name=autoseg-"),
                options,
                file.with_suffix(".job"),
            )
        return jobs

    return run


def _after(options):
    found = [o for o in options if o.startswith("--dependency=")]
    return found[0].removeprefix("--dependency=") if found else None


def test_jobs_wait_for_each_other_from_the_fingerprint_to_the_report(
    dataset, run, tmp_path
):
    jobs = run(
        autoseg.slurm(
            dataset, tmp_path / "root", configurations=["2d", "3d_fullres"], parts=3
        )
    )

    assert {n: (name, _after(options)) for n, (name, options, _) in jobs.items()} == {
        101: ("fingerprint", None),
        102: ("plan", "afterok:101"),
        103: ("preprocess", "afterok:102"),
        104: ("train-2d", "afterok:103"),
        105: ("train-3d_fullres", "afterok:103"),
        106: ("find_best", "afterok:104:105"),
        107: ("report", "afterok:106"),
    }
    for number in (101, 103):
        assert "--array=0-2" in jobs[number][1]
    for word in ("--array=0-4", "--requeue", "--signal=B:USR1@300", "--gres=gpu:1"):
        assert word in jobs[104][1]
    assert "--gres=gpu:1" not in jobs[101][1]


def test_a_fold_that_is_told_to_end_stops_and_is_queued_again(dataset, run, tmp_path):
    # In place of autoseg: something that writes down what it is asked, and obeys.
    program = tmp_path / "trainer"
    program.write_text(
        "#!/usr/bin/env bash\n"
        f'echo "$@" > "{tmp_path}/asked"\n'
        f"trap 'echo told > \"{tmp_path}/told\"; exit 0' USR1\n"
        f'touch "{tmp_path}/ready"\n'
        "for _ in {1..1000}; do sleep 0.02; done\n"
    )
    program.chmod(0o755)
    script = autoseg.slurm(dataset, tmp_path / "r", training="--epochs 3 --seed 1")
    own = f"AUTOSEG=({sys.executable} -m autoseg)"
    assert own in script
    jobs = run(script.replace(own, f"AUTOSEG=('{program}')"))
    (tmp_path / "programs" / "scontrol").write_text(
        f'#!/usr/bin/env bash\necho "$@" > "{tmp_path}/queued"\n'
    )
    (tmp_path / "programs" / "scontrol").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}",
        "SLURM_ARRAY_JOB_ID": "104",
        "SLURM_ARRAY_TASK_ID": "3",
    }

    job = subprocess.Popen(["bash", jobs[104][2]], env=environment)
    while not (tmp_path / "ready").exists():
        assert job.poll() is None
    job.send_signal(signal.SIGUSR1)  # as SLURM does

    assert job.wait(timeout=60) == 0
    assert (tmp_path / "asked").read_text().split() == [
        *("train", "--plan", "unet", str(dataset).split()[0]),
        *str(dataset).split()[1:],
        *("3d_fullres", "3", "--epochs", "3", "--seed", "1"),
    ]
    assert (tmp_path / "told").exists()
    assert (tmp_path / "queued").read_text().split() == ["requeue", "104_3"]


def test_the_command_prints_the_script_and_submits_nothing(dataset, capsys, tmp_path):
    words = ["slurm", str(dataset), "--root", str(tmp_path / "root")]

    assert main([*words, "--folds", "2", "--sbatch=--account=lab"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("#!/usr/bin/env bash\n")
    assert "--array=0-1 " in said
    assert "ALL=(--account=lab)" in said


def test_options_that_a_stage_does_not_know_are_refused_before_anything_is_queued(
    dataset, tmp_path
):
    with pytest.raises(UsageError, match="autoseg train: unrecognized.*--epoch 3"):
        autoseg.slurm(dataset, tmp_path, training="--epoch 3")
    with pytest.raises(UsageError, match="autoseg plan: .*--gpu-memory"):
        autoseg.slurm(dataset, tmp_path, planning="--gpu-memory much")
