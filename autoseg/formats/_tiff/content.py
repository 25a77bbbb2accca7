"""What a TIFF file holds, once its pages are found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autoseg.formats._upright import TAG

WHITE_IS_ZERO = 0  # photometric interpretation
PALETTE = 3


@dataclass(frozen=True)
class Content:
    """The image in a TIFF file.

    Parameters
    ----------
    axes : str
        A letter for each axis.
    shape : tuple of int
        Length of each axis.
    parts : list
        tifffile's series or pages, stacked along the first axis if there are several.
    keyframe : TiffPage
        The first page, which stands for all.
    said : bool
        Whether the file itself gives the letters.
    notes : tuple of str
        What was left aside.
    doubt : str
        What to note if the axis that is said to be channels is read as slices.
    number : int
        Which of the images that an OME file describes.
    """

    axes: str
    shape: tuple[int, ...]
    parts: list[Any]
    keyframe: Any
    said: bool = False
    notes: tuple[str, ...] = field(default=())
    doubt: str = ""
    number: int = 0

    @property
    def orientation(self) -> int:
        """TIFF's tag 274; 1 where there is none."""
        tag = self.keyframe.tags.get(TAG)
        return int(tag.value) if tag is not None else 1

    @property
    def palette(self) -> Any:
        """The red, green and blue of each value, uint16 (3, N); None: values count."""
        page = self.keyframe
        return page.colormap if page.photometric == PALETTE else None

    @property
    def is_inverted(self) -> bool:
        """Whether a bilevel file stores 1 for black."""
        return bool(
            self.keyframe.photometric == WHITE_IS_ZERO
            and self.keyframe.bitspersample == 1
        )


def white_is_one(content: Content) -> tuple[list[str], list[str]]:
    """Return what to warn of and what to note about a bilevel file that stores black.

    By TIFF's rules, and in viewers, its zeros are white. tifffile (2026.3) stores
    boolean arrays so as they are, True as black, and scikit-image with it: nothing in
    such a file tells it from one that other programs wrote.
    """
    if not content.is_inverted:
        return [], []
    found = (
        "its values are of one bit, and 0 is white: white is read as 1, as viewers "
        "show it"
    )
    if str(content.keyframe.software).startswith("tifffile"):
        doubt = (
            f"{found}; tifffile wrote it, which stores boolean arrays with True as "
            "black: save them as uint8, or what was True is read as 0"
        )
        return [doubt], []
    return [], [found]
