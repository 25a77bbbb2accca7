#!/usr/bin/env bash
# Pillow 13.0.0: a 16-bit gray PNG loses its lower 8 bits as soon as it has an alpha channel
#
# Packages   pillow==13.0.0, numpy==2.4.6
# Seen       Two pixels, 1000 and 1001:
#              PNG, gray, 16 bit              mode I;16, values 1000, 1001
#              PNG, gray and alpha, 16 bit    mode RGBA, values 3, 3 (and 255 for alpha); no warning
# Good guess Pillow reads 16-bit gray in full, so an opaque alpha channel beside it costs nothing. Wrong:
#            this color type goes through an 8-bit mode, of another number of channels, even.
# Matters    Programs that draw or export figures add an opaque alpha channel without being asked. An
#            instance map of cells with ids up to 65535 then has ids up to 255, each shared by 256 cells,
#            and a 16-bit micrograph is posterized; the file is right, and viewers show it right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import struct
import zlib

import numpy as np
from PIL import Image


def chunk(kind, content):
    """A PNG chunk: length, kind, content, checksum of the last two."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(color_type, row):
    """A PNG file of one row of 16-bit samples, shape (X, channels), filter 0."""
    header = struct.pack(">IIBBBBB", len(row), 1, 16, color_type, 0, 0, 0)
    data = zlib.compress(b"\0" + np.asarray(row, ">u2").tobytes())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


read = {}
for name, color_type, row in (("gray", 0, [[1000], [1001]]), ("gray and alpha", 4, [[1000, 65535], [1001, 65535]])):
    with open("a.png", "wb") as file:
        file.write(png(color_type, row))
    with Image.open("a.png") as image:
        read[name] = image.mode, np.asarray(image).tolist()
    print(f"{name:15} stored {row}  mode {read[name][0]}  read {read[name][1]}")
described = {"gray": ("I;16", [[1000, 1001]]), "gray and alpha": ("RGBA", [[[3, 3, 3, 255], [3, 3, 3, 255]]])}
raise SystemExit(None if read == described else "the behavior is not the one described")
EOF
