"""Requests to stop are answered, and those that are ignored stay ignored."""

import os
import signal
from types import SimpleNamespace

import pytest

from autoseg.cli import main
from autoseg.stopping import answering, interrupt, stop_signals
from tests.forked import Forked

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


def _asked_to_stop(number):
    """Be a command that is asked to stop."""

    def run(arguments):
        os.kill(os.getpid(), number)

    command = SimpleNamespace(__doc__="", add_arguments=lambda p: None, run=run)
    main.load_command = lambda name: command
    return main.main(["demo"])


@pytest.mark.parametrize("number", ALL)
def test_a_command_that_is_stopped_says_so(number, tmp_path):
    code, said = Forked(tmp_path / "said.txt", _asked_to_stop, (number,), {}).wait(120)

    assert code == 130
    assert "autoseg: stopped; nothing is lost" in said
