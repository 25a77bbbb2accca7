#!/usr/bin/env bash
# dask-jobqueue 0.9.0: imported, it has Ctrl-C end a program with exit code 0
#
# Packages   dask-jobqueue==0.9.0, dask==2026.8.0, distributed==2026.8.0
# Seen       A program waits, and is sent SIGINT, as Ctrl-C does:
#              import nothing         KeyboardInterrupt, the except clause runs, exit code 130 as it says
#              import dask_jobqueue   SystemExit instead: no except KeyboardInterrupt runs, exit code 0
#            The handler of the signal is replaced by the import alone; no cluster is made.
# Good guess An import changes nothing of the program; an interrupted program fails. Wrong here:
#            dask_jobqueue.slurm imports dask_jobqueue.runner, which sets a handler that calls sys.exit().
# Matters    Long computations save their state in `except KeyboardInterrupt`, and chains of jobs look at
#            exit codes: after Ctrl-C nothing is saved, and the next step begins as if all were done.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dask-jobqueue==0.9.0 dask==2026.8.0 distributed==2026.8.0
cd "$work"
cat > waits.py <<'EOF'
import sys
import time

if sys.argv[1] != "nothing":
    __import__(sys.argv[1])
print("ready", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("saved", flush=True)
    sys.exit(130)
EOF
venv/bin/python -I - <<'EOF'
import signal
import subprocess
import sys

seen = {}
for name in ("nothing", "dask_jobqueue"):
    command = [sys.executable, "-I", "waits.py", name]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "ready\n"
    program.send_signal(signal.SIGINT)
    said = program.communicate(timeout=50)[0].strip()
    seen[name] = said, program.returncode
    print(f"import {name:14} said {said!r}, exit code {program.returncode}")
as_described = seen == {"nothing": ("saved", 130), "dask_jobqueue": ("", 0)}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
