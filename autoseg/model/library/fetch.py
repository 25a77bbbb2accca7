"""Bring a file here: a copy of one on disk, or a download over https."""

from __future__ import annotations

import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from autoseg.errors import ModelError, UsageError

logger = logging.getLogger(__name__)

MOST_BYTES = 8 * 2**30  # of a model; networks for medical images have a tenth of it
SECONDS = 60.0  # without an answer
PIECE = 2**20  # bytes that are taken at a time
SECURE = "https"


class _SecureOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to other https addresses, and to no others."""

    def redirect_request(
        self, request: Any, file: Any, code: int, message: str, headers: Any, url: str
    ) -> Any:
        if urllib.parse.urlsplit(url).scheme != SECURE:
            raise UsageError(f"{request.full_url} leads to {url}, which is not https.")
        return super().redirect_request(request, file, code, message, headers, url)


def is_address(source: str) -> bool:
    """Return whether a text is an address rather than a path.

    Examples
    --------
    >>> is_address("https://host/a.zip"), is_address("models/a.zip"), is_address("C:/a")
    (True, False, False)
    """
    return "://" in source


def fetch(source: str, target: Path) -> None:
    """Copy or download a file.

    Parameters
    ----------
    source : str
        A path, or an address that begins with ``https://`` or ``file://``.
    target : Path
        Where to; incomplete if an error is raised.

    Raises
    ------
    UsageError
        If there is no such file, or the address is of another kind.
    ModelError
        If it does not arrive, or is too large.
    """
    with _opened(source) as (file, size):
        taken = 0
        with target.open("wb") as here:
            while piece := file.read(PIECE):
                taken += len(piece)
                if taken > MOST_BYTES:
                    raise ModelError(_too_large(source))
                here.write(piece)
    if size is not None and taken != size:
        raise ModelError(
            f"{source}: {taken} of {size} bytes arrived. Try again, or download it by "
            "other means and give the file."
        )


@contextmanager
def _opened(source: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Give a file, and its size as far as that is known."""
    if is_address(source):
        parts = urllib.parse.urlsplit(source)
        if parts.scheme == SECURE and parts.hostname:
            with _downloading(source) as found:
                yield found
            return
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise UsageError(
                f"{source}: only files and addresses that begin with https:// are "
                "taken. Download it by other means, and give the file."
            )
        source = urllib.request.url2pathname(parts.path)
    path = Path(source).expanduser()
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder. Make a bundle of a model with `autoseg export -m "
            f"{path} -o FILE.zip`, and give that."
        )
    if not path.is_file():
        raise UsageError(f"There is no file {path}. Give a bundle, or its address.")
    size = path.stat().st_size
    _tell(path.name, size)
    with path.open("rb") as file:
        yield file, size


@contextmanager
def _downloading(address: str) -> Iterator[tuple[IO[bytes], int | None]]:
    try:
        with _answer(address) as answer:
            length = str(answer.headers.get("Content-Length") or "")
            size = int(length) if length.isdigit() else None
            _tell(address, size)
            if size is not None and size > MOST_BYTES:
                raise ModelError(_too_large(address))
            yield answer, size
    except urllib.error.HTTPError as error:
        raise ModelError(
            f"{address}: the server answers {error.code} {error.reason}. Look whether "
            "the address is right."
        ) from None
    except (OSError, ValueError) as error:
        # No network, no such host, no certificate, an answer that breaks off.
        reason = getattr(error, "reason", error)
        raise ModelError(
            f"{address} cannot be downloaded ({reason}). Try again, or download it by "
            "other means and give the file."
        ) from None


def _answer(address: str) -> Any:
    """Ask a server; tests answer in its place."""
    opener = urllib.request.build_opener(_SecureOnly)
    return opener.open(address, timeout=SECONDS)


def _tell(what: str, size: int | None) -> None:
    told = "of unknown size" if size is None else megabytes(size)
    logger.info("%s, %s", what, told)


def megabytes(size: int) -> str:
    """Return a size as people say it.

    Examples
    --------
    >>> megabytes(2_345_678), megabytes(12_000)
    ('2.3 MB', '12 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def _too_large(source: str) -> str:
    return f"{source} is larger than {MOST_BYTES / 2**30:.0f} GB; no model is."
