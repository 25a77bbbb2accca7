"""Which case an image's file name tells."""

from __future__ import annotations

from autoseg.formats.base import known_endings, match_ending


def image_case(name: str) -> str:
    """Return the case of an image's file name, as tables and lists give it.

    Examples
    --------
    >>> image_case("images/scan_1_0000.nii.gz"), image_case("scan_1")
    ('scan_1', 'scan_1')
    """
    file = name.strip().replace("\\", "/").rpartition("/")[2]
    ending = match_ending(file.lower(), known_endings())
    if not ending:
        return file
    stem = file[: -len(ending)]
    return stem[:-5] if stem.endswith("_0000") else stem
