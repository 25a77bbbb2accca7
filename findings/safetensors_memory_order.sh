#!/usr/bin/env bash
# safetensors 0.8.0: NumPy arrays that are not C-contiguous are saved scrambled
#
# Packages   safetensors==0.8.0, numpy==2.4.6
# Seen       save_file of [[0, 1, 2], [3, 4, 5]] in Fortran order, read back: [[0, 3, 1], [4, 2, 5]].
#            A transposed array is scrambled in the same way. No error, no warning; shape and dtype are right.
# Good guess A format of arrays saves the array as it is seen, or says (as its torch side does) that the
#            memory must be contiguous. Wrong: the NumPy side writes the bytes as they lie in memory under
#            the shape that is seen.
# Matters    Medical readers hand out such arrays all the time: nibabel's voxels are Fortran ordered, and
#            (X, Y, Z) to (Z, Y, X) is a transposition. Targets or weights put aside between two steps come
#            back with every number present and most of them in the wrong place.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
from safetensors.numpy import load_file, save_file

plain = np.arange(6).reshape(2, 3)
arrays = {
    "C order": plain,
    "Fortran order": np.asfortranarray(plain),
    "transposed": np.arange(6).reshape(3, 2).T,
}
same = {}
for name, array in arrays.items():
    save_file({"voxels": array}, "a.safetensors")
    back = load_file("a.safetensors")["voxels"]
    same[name] = np.array_equal(array, back)
    print(f"{name:14}saved {array.tolist()}  read {back.tolist()}  equal {same[name]}")
described = {"C order": True, "Fortran order": False, "transposed": False}
raise SystemExit(None if same == described else "the behavior is not the one described")
EOF
