"""Workers of a Dask cluster in the process of a test."""

from __future__ import annotations

import logging
from typing import Any


def here(count: int) -> Any:
    """Return a context of a cluster whose workers are threads of this process."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )
