"""Files that are missing, cut, spoilt, twice there, or called otherwise."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from .trial import Made, mutation

# Letters of all kinds. Control characters are left out: they end some libraries.
NAMES = (
    "my scan",
    "größe",
    "扫描",
    "-v",
    "a'b",
    'a"b',
    "a;b",
    "$HOME",
    "100%",
    "a,b",
    "case_0",
    "CASE_1",
    "case_1_0000",
    "a.b.c",
    "..x",
    "x" * 180,
    "0",
    "1e5",
    "None",
    "e\u0301",
    "{case}",
    "*",
    "#1",
    "=1+1",
    "<b>",
    "a&b",
    " lead",
    "trail ",
)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@mutation
def image_missing(made: Made) -> str | None:
    """An image is not there."""
    if (path := made.image()) is None:
        return None
    path.unlink()
    return path.name


@mutation
def label_missing(made: Made) -> str | None:
    """A file of annotations is not there."""
    if (path := made.label()) is None:
        return None
    path.unlink()
    return path.name


@mutation
def folder_missing(made: Made) -> str | None:
    """A whole folder is not there."""
    name = made.pick(["imagesTr", "labelsTr", "imagesTs"])
    if not (made.folder / name).is_dir():
        return None
    shutil.rmtree(made.folder / name)
    return str(name)


@mutation
def folder_empty(made: Made) -> str | None:
    """A whole folder is empty."""
    name = made.pick(["imagesTr", "labelsTr", "imagesTs"])
    if not (made.folder / name).is_dir():
        return None
    shutil.rmtree(made.folder / name)
    (made.folder / name).mkdir()
    return str(name)


@mutation
def few_cases(made: Made) -> str | None:
    """One, two or three cases are left."""
    left = int(made.random.integers(1, 4))
    gone = [f"case_{number}" for number in range(left, 4)]
    for path in list(made.folder.glob("*Tr/*")):
        if path.name.startswith(tuple(gone)):
            _remove(path)
    return f"{left} left"


@mutation
def truncated(made: Made) -> str | None:
    """A file ends too early."""
    if (path := made.either()) is None:
        return None
    content = path.read_bytes()
    left = int(made.random.integers(0, max(1, len(content))))
    path.write_bytes(content[:left])
    return f"{path.name} to {left} of {len(content)} bytes"


@mutation
def empty_file(made: Made) -> str | None:
    """A file has no byte."""
    if (path := made.either()) is None:
        return None
    path.write_bytes(b"")
    return path.name


@mutation
def flipped(made: Made) -> str | None:
    """Some bits of a file are others."""
    if (path := made.either()) is None:
        return None
    content = bytearray(path.read_bytes())
    places = made.random.integers(0, max(1, len(content)), int(made.pick([1, 3, 20])))
    for at in places.tolist() if content else ():
        content[at] ^= 1 << int(made.random.integers(8))
    path.write_bytes(content)
    return f"{path.name} at {len(places)} places"


@mutation
def noise_for_a_file(made: Made) -> str | None:
    """A file holds anything."""
    if (path := made.either()) is None:
        return None
    path.write_bytes(made.random.bytes(int(made.random.integers(1, 2000))))
    return path.name


@mutation
def text_for_a_file(made: Made) -> str | None:
    """A file holds the page of a server that did not find it."""
    if (path := made.either()) is None:
        return None
    path.write_text("<html><body>404 Not Found</body></html>", encoding="utf-8")
    return path.name


@mutation
def bytes_behind(made: Made) -> str | None:
    """Something follows the end of a file."""
    if (path := made.either()) is None:
        return None
    path.write_bytes(path.read_bytes() + bytes(100))
    return path.name


@mutation
def other_format_by_its_name(made: Made) -> str | None:
    """A file's ending is that of another format."""
    if (path := made.either()) is None:
        return None
    ending = made.pick([".nii", ".nii.gz", ".nrrd", ".mha", ".tif", ".png", ".jpg"])
    name = path.name[: path.name.find(".")] + ending
    path.rename(path.with_name(name))
    return f"{path.name} to {name}"


@mutation
def packed_twice(made: Made) -> str | None:
    """A file is packed once more than its name says."""
    if (path := made.either()) is None:
        return None
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path.name


@mutation
def folder_for_a_file(made: Made) -> str | None:
    """A folder has the name of a file."""
    if (path := made.either()) is None:
        return None
    path.unlink()
    path.mkdir()
    return path.name


@mutation
def dead_link(made: Made) -> str | None:
    """A link leads nowhere."""
    if (path := made.either()) is None:
        return None
    path.unlink()
    path.symlink_to(made.folder / "gone")
    return path.name


@mutation
def link_to_another(made: Made) -> str | None:
    """A file is a link to another one's content."""
    path, other = made.image(), made.image()
    if path is None or other is None or path == other:
        return None
    path.unlink()
    path.symlink_to(other)
    return f"{path.name} to {other.name}"


@mutation
def images_equal(made: Made) -> str | None:
    """Two images have one content."""
    path, other = made.image(), made.image()
    if path is None or other is None or path == other:
        return None
    shutil.copyfile(other, path)
    return f"{path.name} is {other.name}"


@mutation
def labels_swapped(made: Made) -> str | None:
    """Two files of annotations have changed places."""
    path, other = made.label(), made.label()
    if path is None or other is None or path == other:
        return None
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)
    return f"{path.name}, {other.name}"


@mutation
def image_for_label(made: Made) -> str | None:
    """A file of annotations is an image, or the other way round."""
    path, other = made.image(), made.label()
    if path is None or other is None:
        return None
    source, target = (path, other) if made.random.random() < 0.5 else (other, path)
    shutil.copyfile(source, target)
    return f"{target.name} is {source.name}"


@mutation
def two_endings(made: Made) -> str | None:
    """A file is there once more, with another ending."""
    if (path := made.either()) is None:
        return None
    ending = made.pick([".nii", ".nrrd", ".png", ".PNG", ".json", ".csv", ".tiff"])
    other = path.with_name(path.name[: path.name.find(".")] + ending)
    if other.exists():
        return None
    shutil.copyfile(path, other)
    return other.name


@mutation
def stray_file(made: Made) -> str | None:
    """Something lies there that belongs to nobody."""
    folder = made.pick(["imagesTr", "labelsTr", "imagesTs", "."])
    name = made.pick([*("Thumbs.db", ".DS_Store", "notes.txt", "old.png"), "a.json"])
    (made.folder / folder).mkdir(exist_ok=True)
    (made.folder / folder / name).write_bytes(made.random.bytes(50))
    return f"{folder}/{name}"


@mutation
def backup_folder(made: Made) -> str | None:
    """A folder with a copy of everything lies in a folder."""
    source = made.folder / made.pick(["imagesTr", "labelsTr"])
    if not source.is_dir():
        return None
    shutil.copytree(source, source / "backup", symlinks=True)
    return source.name


@mutation
def renamed_case(made: Made) -> str | None:
    """All files of a case have another name."""
    number, name = int(made.random.integers(4)), made.pick(NAMES)
    moved = 0
    for path in sorted(made.folder.glob(f"*Tr/case_{number}*")):
        target = path.with_name(path.name.replace(f"case_{number}", name, 1))
        if not target.exists():
            path.rename(target)
            moved += 1
    for path in made.folder.glob("labelsTr.*"):
        text = path.read_bytes().decode("utf-8", "replace")
        path.write_text(text.replace(f"case_{number}", name), encoding="utf-8")
    return f"case_{number} to {name[:20]!r}, {moved} files"


@mutation
def renamed_file(made: Made) -> str | None:
    """One file has another name."""
    if (path := made.either()) is None:
        return None
    name = made.pick(NAMES) + path.name[path.name.find(".") :]
    if path.with_name(name).exists():
        return None
    path.rename(path.with_name(name))
    return f"{path.name} to {name[:30]!r}"


@mutation
def channel_number(made: Made) -> str | None:
    """An image has another channel's number, or none."""
    if (path := made.image()) is None:
        return None
    number = made.pick(["", "_0001", "_0002", "_0007", "_1", "_00000", "_-001"])
    target = path.with_name(path.name.replace("_0000", number))
    if target.exists():
        return None
    path.rename(target)
    return f"{path.name} to {target.name}"


@mutation
def upper_case(made: Made) -> str | None:
    """A file's name is in capitals."""
    if (path := made.either()) is None:
        return None
    path.rename(path.with_name(path.name.upper()))
    return path.name


@mutation
def suffix_of_labels(made: Made) -> str | None:
    """All files of annotations, or one, have something behind the case."""
    suffix, one = made.pick(["_seg", "_mask", "_x"]), made.random.random() < 0.3
    for path in sorted(made.folder.glob("labelsTr/case_*"))[: 1 if one else None]:
        stem, dot, ending = path.name.partition(".")
        path.rename(path.with_name(stem + suffix + dot + ending))
    return f"{suffix}, {'one' if one else 'all'}"


@mutation
def unreadable_splits(made: Made) -> str | None:
    """A file of splits is there, and odd."""
    text = made.pick(
        [
            "[]",
            "{}",
            "nonsense",
            '[{"train": ["case_0"], "val": ["case_0"]}]',
            '[{"train": ["case_0", "case_1"], "val": ["gone"]}]',
            '[{"train": [], "val": ["case_1"]}]',
            '[{"train": ["case_0", "case_1"], "val": []}]',
            '[{"train": "case_0", "val": 3}]',
            '[{"train": ["case_0", "case_1"], "val": ["case_2"]}]',
            "[[[1]]]",
            "null",
        ]
    )
    name = made.pick(["splits.json", "splits_final.json"])
    (made.folder / name).write_text(text, encoding="utf-8")
    return f"{name}: {text}"
