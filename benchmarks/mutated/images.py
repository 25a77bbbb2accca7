"""Voxels that are odd, and headers that say so: images and label maps."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from .toys import save
from .trial import Made, change_voxels, mutation, voxels

HUGE = [-32768.0, 1e20, 1e36, 3.4e38, -3.4e38, 65535.0, 1e-38]


def _named(path: Path | None, done: bool, what: object = "") -> str | None:
    return f"{path.name} {what}".strip() if path is not None and done else None


def _some(made: Made, values: Any, share: float, value: Any) -> Any:
    values[made.random.random(values.shape) < share] = value
    return values


@mutation
def not_finite(made: Made) -> str | None:
    """Some voxels, or all, are no numbers."""
    path, value = made.either(), made.pick([np.nan, np.inf, -np.inf])
    share = made.pick([0.0005, 0.1, 1.0])
    done = change_voxels(path, lambda v: _some(made, v, share, value), floats=True)
    return _named(path, done, f"{value} in {share:g}")


@mutation
def sentinel(made: Made) -> str | None:
    """Some voxels have a value far from all others."""
    path, value, share = made.image(), made.pick(HUGE), made.pick([0.001, 0.3, 0.9])
    done = change_voxels(path, lambda v: _some(made, v, share, value), floats=True)
    return _named(path, done, f"{value} in {share:g}")


@mutation
def scaled(made: Made) -> str | None:
    """All values of an image, or of all, are far too large or small."""
    factor, every = made.pick([1e36, 1e30, 1e-30, 1e-42, -1.0]), made.random.random()
    paths = sorted(made.folder.glob("imagesTr/*")) if every < 0.5 else [made.image()]
    done = [change_voxels(p, lambda v: v * np.float32(factor), True) for p in paths]
    return f"{factor} in {sum(done)} files" if any(done) else None


@mutation
def one_value(made: Made) -> str | None:
    """An image, or all, has one value everywhere."""
    value, every = made.pick([0, 0, 1, 200]), made.random.random() < 0.5
    paths = sorted(made.folder.glob("imagesTr/*")) if every else [made.image()]
    done = [change_voxels(p, lambda v: np.full_like(v, value)) for p in paths]
    return f"{value} in {sum(done)} files" if any(done) else None


@mutation
def mostly_zero(made: Made) -> str | None:
    """An image is 0 but for a few voxels."""
    path, share = made.image(), made.pick([0.9, 0.99, 0.999])
    done = change_voxels(path, lambda v: _some(made, v, share, 0))
    return _named(path, done, share)


@mutation
def other_type(made: Made) -> str | None:
    """A file has another type of numbers."""
    path = made.either()
    kind = made.pick(["f8", "f4", "i2", "u2", "i4", "u4", "i8", "i1", "c8", "?"])
    done = change_voxels(path, lambda v: v.astype(kind))
    return _named(path, done, kind)


def _reshaped(made: Made) -> tuple[str, Callable[[Any], Any]]:
    axis = int(made.random.integers(2))
    changes: list[tuple[str, Callable[[Any], Any]]] = [
        ("cut by one", lambda v: v.take(range(v.shape[axis] - 1), axis)),
        ("half", lambda v: v.take(range(v.shape[axis] // 2), axis)),
        ("twice as long", lambda v: np.concatenate([v, v], axis)),
        ("one slice", lambda v: v[:1]),
        ("one voxel", lambda v: v[(slice(0, 1),) * v.ndim]),
        ("3 voxels", lambda v: v[(slice(4, 7),) * v.ndim]),
        ("an axis of 1 more", lambda v: v[None]),
        ("an axis less", lambda v: v[v.shape[0] // 2]),
        ("two more channels", lambda v: np.stack([v, v, v], -1)),
        ("axes in reverse", lambda v: np.ascontiguousarray(v.T)),
        ("a needle", lambda v: v[(slice(0, 2),) * (v.ndim - 1)]),
    ]
    return made.pick(changes)


@mutation
def other_shape(made: Made) -> str | None:
    """One file has another shape."""
    path, (what, change) = made.either(), _reshaped(made)
    return _named(path, change_voxels(path, change), what)


@mutation
def other_shape_of_a_case(made: Made) -> str | None:
    """All files of a case have another shape."""
    number, (what, change) = int(made.random.integers(4)), _reshaped(made)
    paths = [p for p in made.folder.glob(f"*Tr/case_{number}*") if p.is_file()]
    done = [change_voxels(p, change) for p in sorted(paths)]
    return f"case_{number}, {what}" if any(done) else None


@mutation
def other_shape_of_all(made: Made) -> str | None:
    """All files of training have another shape."""
    what, change = _reshaped(made)
    paths = [p for p in made.folder.glob("*Tr/case_*") if p.is_file()]
    done = [change_voxels(p, change) for p in sorted(paths)]
    return what if any(done) else None


@mutation
def enlarged(made: Made) -> str | None:
    """A case is several times as large."""
    number, times = int(made.random.integers(4)), int(made.pick([2, 4]))
    paths = [p for p in made.folder.glob(f"*Tr/case_{number}*") if p.is_file()]
    done = [
        change_voxels(p, lambda v: np.kron(v, np.ones((times,) * v.ndim, v.dtype)))
        for p in sorted(paths)
    ]
    return f"case_{number}, {times} times" if any(done) else None


def _header(made: Made, path: Path, change: Callable[[Any], object]) -> bool:
    """Change the image of SimpleITK, and write it; NRRD and MetaImage."""
    try:
        image = sitk.ReadImage(path)
        change(image)
        sitk.WriteImage(image, path)
    except RuntimeError:
        return False
    return True


@mutation
def other_spacing(made: Made) -> str | None:
    """A header, or all of them, says another size of voxels."""
    edge = made.pick([1e9, 1e-9, 1e4, 0.001, 25.4, 3.0, 0.3])
    axes = made.pick([(1,), (1, 2, 3), (3,)])
    every, one = made.random.random() < 0.4, made.either()
    paths = sorted(made.folder.glob("*Tr/case_*")) if every or one is None else [one]
    done = 0
    for path in paths:
        if path.name.endswith((".nii", ".nii.gz")) and voxels(path) is not None:
            image = nibabel.load(path)
            affine = image.affine.copy()
            for axis in axes:
                affine[axis - 1, axis - 1] = edge
            values = np.asarray(image.dataobj)
            nibabel.save(nibabel.Nifti1Image(values, affine, image.header), path)
            done += 1
        elif path.name.endswith((".nrrd", ".mha")) and path.is_file():
            spacing = [edge if n + 1 in axes else 1.0 for n in range(3)]
            done += _header(made, path, lambda i, s=spacing: i.SetSpacing(s))
    return f"{edge:g} along {axes} in {done} files" if done else None


@mutation
def fields_of_nifti(made: Made) -> str | None:
    """Fields of a NIfTI header are odd."""
    path = made.either()
    if path is None or ".nii" not in path.name or voxels(path) is None:
        return None
    image = nibabel.load(path)
    header = image.header
    field, value = made.pick(
        [
            ("pixdim", 0.0),
            ("pixdim", -1.0),
            ("pixdim", np.nan),
            ("xyzt_units", 0),
            ("xyzt_units", 1),
            ("xyzt_units", 3),
            ("scl_slope", 0.01),
            ("scl_slope", np.nan),
            ("scl_inter", -1024.0),
            ("sform_code", 0),
            ("qform_code", 0),
            ("intent_code", 1007),
            ("descrip", "größe".encode("latin-1")),
        ]
    )
    values = np.asarray(image.dataobj)
    written = nibabel.Nifti1Image(values, None, header)
    written.header[field] = [1, value, 1, 1, 1, 1, 1, 1] if field == "pixdim" else value
    if field == "sform_code":
        written.header["qform_code"] = 0
    raw = written.header.binaryblock + bytes(4) + values.tobytes(order="F")
    path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)
    return f"{path.name}: {field} = {value}"


@mutation
def other_direction(made: Made) -> str | None:
    """A volume runs another way, with or without its label map."""
    path, number = made.either(), int(made.random.integers(4))
    turn = made.pick([(-1, -1, 1), (1, 1, -1), (-1, 1, 1), "axes", "oblique"])
    alone = made.random.random() < 0.5
    paths = (
        [path] if alone and path else sorted(made.folder.glob(f"*Tr/case_{number}*"))
    )
    matrix = np.diag(turn if isinstance(turn, tuple) else (1, 1, 1)).astype(float)
    if turn == "axes":
        matrix = matrix[[2, 0, 1]]
    elif turn == "oblique":
        c, s = np.cos(0.3), np.sin(0.3)
        matrix[:2, :2] = [[c, -s], [s, c]]
    done = 0
    for path in paths:
        if path.name.endswith((".nii.gz", ".nrrd", ".mha")) and path.is_file():
            flat = matrix.ravel().tolist()
            done += _header(made, path, lambda i, f=flat: i.SetDirection(f))
    return f"{turn} in {done} files" if done else None


@mutation
def other_origin(made: Made) -> str | None:
    """An image lies elsewhere."""
    path, far = made.either(), made.pick([0.4, 500.0, 1e8])
    if path is None or not path.name.endswith((".nii.gz", ".nrrd", ".mha")):
        return None
    return _named(path, _header(made, path, lambda i: i.SetOrigin((far,) * 3)), far)


@mutation
def fields_of_nrrd(made: Made) -> str | None:
    """A field of an NRRD header is odd."""
    path = made.either()
    if path is None or path.suffix != ".nrrd":
        return None
    old, new = made.pick(
        [
            (b"space: left-posterior-superior", b"space: right-anterior-superior"),
            (b"space: left-posterior-superior", b"space dimension: 3"),
            (b"encoding: gzip", b"encoding: hex"),
            (b"encoding: gzip", b"encoding: bzip2"),
            (b"kinds: domain domain domain", b'space units: "um" "um" "um"'),
            (b"kinds: domain domain domain", b'space units: "ell" "ell" "ell"'),
            (b"kinds: domain domain domain", b"kinds: vector domain domain"),
            (b"endian: little", b"endian: big"),
            (b"sizes: 16 16 16", b"sizes: 16 16 17"),
            (b"sizes: 16 16 16", b"sizes: 16 16"),
            (b"dimension: 3", b"dimension: 4"),
            (b"(0,0,1)", b"(0,0,0)"),
            (b"(0,0,1)", b"none"),
        ]
    )
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return f"{path.name}: {new.decode()}"


@mutation
def fields_of_metaimage(made: Made) -> str | None:
    """A field of a MetaImage header is odd."""
    path = made.either()
    if path is None or path.suffix != ".mha":
        return None
    key, value = made.pick(
        [
            (b"ElementSpacing", b"0 1 1"),
            (b"ElementSpacing", b"1 -1 1"),
            (b"DimSize", b"16 16 17"),
            (b"DimSize", b"16 16"),
            (b"TransformMatrix", b"1 0 0 0 1 0 0 0 0"),
            (b"TransformMatrix", b"1 0 0 0 1 0.3 0 0 1"),
            (b"ElementType", b"MET_CHAR"),
            (b"CompressedData", b"False"),
            (b"ElementDataFile", b"gone.raw"),
        ]
    )
    head, found, rest = path.read_bytes().partition(key + b" = ")
    if not found:
        return None
    path.write_bytes(head + found + value + b"\n" + rest.partition(b"\n")[2])
    return f"{path.name}: {key.decode()} = {value.decode()}"


@mutation
def unknown_label(made: Made) -> str | None:
    """Some voxels of a map have a value that nobody named."""
    path, value = made.map(), made.pick([3, 7, 255, 254, -1, 4096, 2**31 - 1, 0.5])
    share = made.pick([0.001, 0.1])
    kind = "f4" if isinstance(value, float) else "i4"
    kind = "u1" if 0 <= value < 256 and kind == "i4" else kind
    if path is not None and path.suffix == ".png" and kind != "u1":
        return None
    done = change_voxels(path, lambda v: _some(made, v.astype(kind), share, value))
    return _named(path, done, f"{value} in {share:g}")


@mutation
def one_label_everywhere(made: Made) -> str | None:
    """A map, or each, has one value: nothing, a class, or `ignore`."""
    value, every = made.pick([0, 1, 2, 3]), made.random.random() < 0.5
    paths = sorted(made.folder.glob("labelsTr/*")) if every else [made.map()]
    done = [change_voxels(p, lambda v: np.full_like(v, value)) for p in paths]
    return f"{value} in {sum(done)} files" if any(done) else None


@mutation
def class_absent(made: Made) -> str | None:
    """A class is nowhere, or in one case only."""
    value, kept = made.pick([1, 2]), made.pick([0, 1])
    paths = sorted(made.folder.glob("labelsTr/*"))[kept:]
    done = [change_voxels(p, lambda v: np.where(v == value, 0, v)) for p in paths]
    return f"{value}, kept in {kept}" if any(done) else None


@mutation
def single_voxels(made: Made) -> str | None:
    """A class is one voxel in each map, or many single ones."""
    many = made.random.random() < 0.5

    def changed(labels: Any) -> Any:
        empty = np.zeros_like(labels)
        if many:
            empty[(slice(None, None, 3),) * labels.ndim] = 1
        else:
            empty[(5,) * labels.ndim], empty[(9,) * labels.ndim] = 1, 2
        return empty

    paths = sorted(made.folder.glob("labelsTr/*"))
    done = [change_voxels(p, changed) for p in paths]
    return f"{'many' if many else 'one'}" if any(done) else None


@mutation
def many_ids(made: Made) -> str | None:
    """Each voxel of a map of instances is an object, or ids are far apart."""
    if made.task != "instance" or (path := made.map()) is None:
        return None
    apart = path.suffix == ".png" or made.random.random() < 0.5

    def changed(labels: Any) -> Any:
        if apart:
            return np.where(labels > 0, labels * 90, 0)
        return np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)

    return _named(path, change_voxels(path, changed))


@mutation
def color(made: Made) -> str | None:
    """A picture is in color, or has an alpha channel."""
    path = made.either()
    if path is None or path.suffix != ".png":
        return None
    channels = made.pick([2, 3, 4])
    equal = made.random.random() < 0.5
    steps = np.zeros(channels) if equal else np.arange(channels)
    found = voxels(path)
    if found is None or found.ndim != 2:
        return None
    save(path, (found[..., None] + steps).astype(np.uint8))
    return f"{path.name}, {channels} channels, {'equal' if equal else 'not equal'}"


@mutation
def test_image_odd(made: Made) -> str | None:
    """The image to predict is odd, and those of training are not."""
    paths = sorted(p for p in made.folder.glob("imagesTs/*") if p.is_file())
    if not paths:
        return None
    path, (what, change) = made.pick(paths), _reshaped(made)
    if made.random.random() < 0.5:
        what, change = "zero", np.zeros_like
    return _named(path, change_voxels(path, change), what)
