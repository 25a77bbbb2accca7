"""Whether a picture was packed in a way that changes values, by its first bytes.

Pixels of an image may be a little off; an annotation's are numbers that somebody gave.
What counts is the content: files are renamed, and a TIFF may hold any of these.
"""

from __future__ import annotations

# ITU-T T.81, table B.1: frames of a JPEG by their marker. Those without loss are SOF3,
# 7, 11 and 15 (Huffman or arithmetic coding); SOF55 is JPEG-LS, of T.87.
JPEG = b"\xff\xd8"
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
WITHOUT_LOSS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
JPEG_LS = 0xF7
ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length
HEAD = 1 << 16  # bytes: thumbnails and profiles stand in front of the frame
# ISO/IEC 15444-1, A.5 and A.6: the codestream and its coding style, in which 0 is the
# wavelet that cannot be undone.
JPEG_2000 = b"\xff\x4f\xff\x51"
STYLE, WAVELET = b"\xff\x52", 13


def packed_with_loss(head: bytes) -> str:
    """Return the name of a packing that changes values; empty: none is known.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes of a picture, or of a part of a TIFF.
    """
    if head.startswith(JPEG):
        frame, _ = _frame(head)
        return "JPEG" if frame not in WITHOUT_LOSS and frame != JPEG_LS else ""
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8 ":
        return "WebP"
    start = head.find(JPEG_2000)
    style = head.find(STYLE, start) if start >= 0 else -1
    if style >= 0 and head[style + WAVELET : style + WAVELET + 1] == b"\0":
        return "JPEG 2000"
    return ""


def unread_jpeg(head: bytes) -> str:
    """Return which kind of JPEG that common readers lack a file is; empty: none.

    Parameters
    ----------
    head : bytes
        As of `packed_with_loss`.
    """
    if not head.startswith(JPEG):
        return ""
    frame, bits = _frame(head)
    if frame == JPEG_LS:
        return "a JPEG-LS file"
    if frame in WITHOUT_LOSS:
        return "a JPEG without loss"
    return f"a JPEG of {bits} bits" if bits not in (0, 8) else ""


def _frame(head: bytes) -> tuple[int, int]:
    """Return a JPEG's frame: its marker and its bits, zeros if it is not in there."""
    at = 2
    while at + 4 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in FRAMES or marker == JPEG_LS:
            return marker, head[at + 4]
        if marker == 0xFF:  # filling
            at += 1
        elif marker in ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return 0, 0
