"""Train the fold that standard input describes, until that is closed.

``python -m autoseg.train`` is what a worker of a cluster starts; see
`autoseg.train.elsewhere`. The first line of standard input has the arguments of
`autoseg.train` as JSON. The end of standard input is a wish to stop: whoever asked for
the training has gone, or changed their mind.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading

from autoseg.errors import AutosegError
from autoseg.train.stage import train

STOPPED = 130


def main() -> int:
    """Train, and return 0, 130 if it was stopped, or another number."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return STOPPED
        line += byte
    threading.Thread(target=_stop_at_end, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        train(**json.loads(line))
    except KeyboardInterrupt:
        return STOPPED
    except AutosegError as error:
        logging.getLogger("autoseg").error("%s: %s", type(error).__name__, error)
        return error.exit_code
    return 0


def _stop_at_end() -> None:
    """Wish to stop once standard input ends; read without a lock of Python's."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
