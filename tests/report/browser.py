"""Pages in a real browser, where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def run(page, *options):
    """Open a page without a network; return what the browser wrote."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium here to open the page in")
    with tempfile.TemporaryDirectory(prefix="autoseg-") as profile:
        words = [
            found, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND",
            "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run", f"--user-data-dir={profile}",
            *options, page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        return done.stdout, done.stderr


def console(said):
    """Return what scripts wrote to the console, or failed with."""
    return [line for line in said.splitlines() if "CONSOLE" in line]


def picture(page, path, width=1200, height=2400, dark=False):
    """Take a picture of a page; return its console."""
    size, scheme = f"--window-size={width},{height}", 0 if dark else 1
    said = run(
        page, f"--screenshot={path}", size,
        f"--blink-settings=preferredColorScheme={scheme}",
    )[1]  # fmt: skip
    return console(said)
