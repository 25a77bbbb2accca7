#!/usr/bin/env bash
# Coarse labels lie up to half a coarse pixel beside their image: ome-zarr 0.18.0 keeps the last pixel of each block
#
# Packages   ome-zarr==0.18.0, zarr==3.1.6, numpy==2.4.6
# Seen       256 x 256 pixels, written with write_image and write_labels, all by default (levels by 2, 4, 8, 16). A pixel
#            of level k stands for a block of 2**k x 2**k, and the file says so: its translation is the block's middle.
#              which pixel of the block a label is   1, 3, 7, 15 from its beginning: the last, never the middle
#              mean middle of a disk that is moved   images: right to 0.05 pixels
#              to sixty places, beside the truth     labels: 0.5, 1.5, 3.5 and 7.5 pixels up and left of it
# Good guess Image and labels that one library writes with the same factors and the same translations lie on each other
#            in all levels. Wrong: images are resampled about their middles, labels by "nearest" of each level from the
#            one before, where a tie takes the later pixel each time, so that it adds up.
# Matters    Whole slides and light-sheet volumes are often learned from, and looked at, in level 2 or 3. There every mask
#            is half of a pixel off along each axis: of a nucleus 8 pixels wide in that level, the IoU of image and label
#            is 0.78 at best.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ome-zarr==0.18.0 zarr==3.1.6 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
import zarr
from ome_zarr.writer import write_image, write_labels

EDGE, LEVELS = 256, (2, 4, 8, 16)


def levels(group):
    """Return arrays, scales and translations of all levels."""
    attributes = dict(group.attrs)
    found = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
    for level in found:
        scale, translation = level["coordinateTransformations"]
        yield group[level["path"]][:], scale["scale"], translation["translation"]


def written(values):
    group = zarr.open_group("cells.zarr", mode="w")
    write_image(values.astype(np.float32), group, axes="yx")
    write_labels(values, group, name="cells", axes="yx")
    return list(levels(group)), list(levels(group["labels/cells"]))


# Every pixel has an id of its own: which one does a coarse label take?
ids = np.arange(1, EDGE * EDGE + 1, dtype=np.uint32).reshape(EDGE, EDGE)
_, coarse = written(ids)
taken = []
for labels, scale, translation in coarse[1:]:
    assert scale == [float(EDGE / labels.shape[0])] * 2, scale
    assert translation == [(scale[0] - 1) / 2] * 2, translation
    y, x = np.unravel_index(labels.astype(np.int64) - 1, (EDGE, EDGE))
    within = {(int(a), int(b)) for a, b in zip((y % scale[0]).flat, (x % scale[1]).flat)}
    assert len(within) == 1, within
    taken.append(within.pop())
print("pixel of its block that a label is:", taken)
assert taken == [(size - 1, size - 1) for size in LEVELS], taken

# A disk at many places: where do image and labels say that it is?
rng = np.random.default_rng(0)
grid = np.mgrid[:EDGE, :EDGE]
beside = {"image": [], "labels": []}
for _ in range(60):
    middle = rng.uniform(100, 156, 2)
    disk = ((grid - middle[:, None, None]) ** 2).sum(0) < 40**2
    for name, kind in zip(beside, written(disk.astype(np.uint16))):
        row = []
        for values, scale, translation in kind[1:]:
            places = np.indices(values.shape) * scale[0] + translation[0]
            row.append(((places * values).sum((1, 2)) / values.sum() - middle).mean())
        beside[name].append(row)
mean = {name: np.mean(rows, axis=0) for name, rows in beside.items()}
print("beside the truth, pixels of level 0:", {k: v.round(2).tolist() for k, v in mean.items()})
assert np.abs(mean["image"][:3]).max() < 0.1, mean
assert np.allclose(mean["labels"], [-(size - 1) / 2 for size in LEVELS], atol=0.4), mean
EOF
echo "as described"
