"""Requests to stop are answered, and those that are ignored stay ignored."""

import os
import signal
import subprocess
import sys

import pytest

from autoseg.stopping import answering, interrupt, stop_signals

ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]


@pytest.mark.parametrize("number", ALL)
def test_each_request_stops_as_ctrl_c_does(number):
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), answering(interrupt):
        os.kill(os.getpid(), number)

    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with answering(interrupt):
            os.kill(os.getpid(), signal.SIGHUP)  # as under nohup
        assert signal.SIGHUP not in stop_signals()
    finally:
        signal.signal(signal.SIGHUP, before)


SCRIPT = """
import os, sys, types
from autoseg.cli import main
def run(arguments):
    os.kill(os.getpid(), int(sys.argv[1]))
command = types.SimpleNamespace(__doc__="", add_arguments=lambda p: None, run=run)
main.load_command = lambda name: command
sys.exit(main.main(["demo"]))
"""


@pytest.mark.parametrize("number", ALL)
def test_a_command_that_is_stopped_says_so(number):
    words = [sys.executable, "-c", SCRIPT, str(int(number))]

    done = subprocess.run(words, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)

    assert done.returncode == 130
    assert "autoseg: stopped; nothing is lost" in done.stderr
