"""Texts that say what cannot be: dataset.json, tables, COCO, points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .trial import Made, mutation

ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 1e300, 10**30, "", "x", " ", [], {}, [[]], [None]),
    *({"a": 1}, {"0": None}, {"": 0}, ["a", "a"], [1, 2], "größe", "../x", "nan"),
]
KEYS = (
    *("channel_names", "labels", "file_ending", "numTraining", "task", "spacing"),
    *("unit", "groups", "splits", "format", "overwrite_image_reader_writer"),
    *("label_ending", "dataset", "regions_class_order", "components", "crowds"),
    *("landmarks", "mirror_pairs", "missing_means", "coordinates", "name"),
)


@mutation
def field_missing(made: Made) -> str | None:
    """A field of dataset.json is not there."""
    key = made.pick(KEYS)
    made.describe(lambda known: known.pop(key, None))
    return str(key)


@mutation
def field_odd(made: Made) -> str | None:
    """A field of dataset.json has a value of another type or range."""
    return made.set(made.pick(KEYS), made.pick(ODD))


@mutation
def field_odd_within(made: Made) -> str | None:
    """A value inside of a field of dataset.json is of another type or range."""
    value, said = made.pick(ODD), []

    def change(known: dict[str, Any]) -> None:
        keys = [k for k, v in known.items() if isinstance(v, (dict, list)) and v]
        if keys:
            key = made.pick(keys)
            inner = known[key]
            place = made.pick(list(inner) if isinstance(inner, dict) else [0, -1])
            inner[place] = value
            said.append(f"{key}[{place!r}] = {value!r}")

    made.describe(change)
    return said[0] if said else None


@mutation
def name_odd(made: Made) -> str | None:
    """A class, channel or landmark has an odd name."""
    name = made.pick(["", " ", "größe", "a/b", "..", "=1", "x" * 300, "ignore", "one"])
    said = []

    def change(known: dict[str, Any]) -> None:
        for key in ("labels", "channel_names", "landmarks"):
            inner = known.get(key)
            if isinstance(inner, dict) and key == "labels" and inner:
                inner[name] = inner.pop(made.pick(list(inner)))
            elif isinstance(inner, dict) and inner:
                inner[made.pick(list(inner))] = name
            elif isinstance(inner, list) and inner:
                inner[0] = name
            else:
                continue
            said.append(key)

    made.describe(change)
    return f"{name[:20]!r} in {', '.join(said)}" if said else None


@mutation
def labels_other(made: Made) -> str | None:
    """The table of labels says something else than the files."""
    return made.set(
        "labels",
        made.pick(
            [
                {"background": 0},
                {"background": 0, "one": 1},
                {"background": 0, "one": 1, "two": 3},
                {"one": 1, "two": 2},
                {"background": 0, "one": 1, "two": 1},
                {"background": 0, "all": [1, 2], "one": 1},
                {"background": 0, "one": 1, "ignore": 2},
                {"background": 0, "ignore": 1},
                {"background": 1, "one": 0, "two": 2},
                {"0": "background", "1": "one", "2": "two"},
                {"background": 0, "one": 1, "two": 2, "three": 99999},
                {"background": 0, "one": -1, "two": 2},
                {"background": 0, "one": "1", "two": "2"},
                {"background": 0, **{f"c{n}": n for n in range(1, 60)}},
                ["background", "one", "two"],
            ]
        ),
    )


@mutation
def regions_other(made: Made) -> str | None:
    """Regions cross, are equal, or are painted in a wrong order."""
    made.set(
        "labels",
        made.pick(
            [
                {"background": 0, "whole": [1, 2], "core": [2]},
                {"background": 0, "a": [1, 2], "b": [2, 3]},
                {"background": 0, "a": [1, 2], "b": [2, 1]},
                {"background": 0, "a": [0, 1], "b": 2},
                {"background": 0, "a": [1, 2], "b": []},
                {"background": 0, "a": [1, 2], "b": 2, "ignore": 3},
            ]
        ),
    )
    order = made.pick([[1, 2], [2, 1], [1], [1, 1], [1, 2, 3], [0, 1], "12", None])
    return made.set("regions_class_order", order)


@mutation
def ending_other(made: Made) -> str | None:
    """The endings in dataset.json are others."""
    key = made.pick(["file_ending", "label_ending"])
    endings = [".nii.gz", ".nii", ".png", "png", ".PNG", ".xyz", ".tif", "", ".json"]
    return made.set(key, made.pick(endings))


@mutation
def channels_other(made: Made) -> str | None:
    """Channels are more, fewer, or called otherwise."""
    names: list[Any] = [
        *({"0": "a", "1": "b"}, {"0": "CT"}, {"0": "noNorm"}, {"1": "a"}, {}),
        *(["red", "green", "blue"], {"0": "rgb_to_0_1"}, {"0": "rescale_to_0_1"}),
        *({"0": "zscore", "2": "x"}, {"a": "b"}, {"0": ["CT"]}, "CT"),
    ]
    return made.set("channel_names", made.pick(names))


@mutation
def task_other(made: Made) -> str | None:
    """The task is another one."""
    return made.set("task", made.pick(["semantic", "instance", "landmark", "Semantic"]))


@mutation
def spacing_in_json(made: Made) -> str | None:
    """The spacing in dataset.json is odd."""
    spacings: list[Any] = [
        *([1, 1], [1, 1, 1], [0.5] * 4, [1e9] * 3, [1e9, 1], [1e-9] * 3, [0, 1]),
        *([-1, 1, 1], ["1", "1"], 1, [None, 1], [1e300] * 2, [5, 0.01], [900, 1, 1]),
    ]
    return made.set("spacing", made.pick(spacings))


@mutation
def unit_in_json(made: Made) -> str | None:
    """The unit in dataset.json is another."""
    units = ["mm", "um", "px", "m", "nm", "Å", "pixel", "ell", "", "inch", None]
    return made.set("unit", made.pick(units))


@mutation
def groups_in_json(made: Made) -> str | None:
    """Groups are odd, or all cases are in one."""
    groups: list[Any] = [
        *({f"case_{n}": "a" for n in range(4)}, {"gone": "a"}, "(case)_", "case_"),
        *("(case_[01])", "(", "", {"case_0": 1}, ["a"], "(x)?", {"case_0": ""}),
    ]
    return made.set("groups", made.pick(groups))


@mutation
def splits_in_json(made: Made) -> str | None:
    """Splits in dataset.json are odd."""
    splits: list[Any] = [
        *([], [{}], "gone.json", [{"train": ["case_0"], "val": ["case_1"]}], ".."),
        *([{"train": ["x"], "val": ["y"]}], [{"train": []}], {"train": []}, [[], []]),
    ]
    return made.set("splits", made.pick(splits))


@mutation
def table_of_cases(made: Made) -> str | None:
    """The table of cases in dataset.json is odd."""
    image = f"imagesTr/{getattr(made.image(), 'name', 'x')}"
    label = f"labelsTr/{getattr(made.map(), 'name', 'x')}"
    tables: list[Any] = [
        *({}, {"a": {}}, {"a": {"images": [image], "label": label}}, {"a": image}),
        {"a": {"images": image, "label": label}},
        {"a": {"images": [], "label": label}},
        {"a": {"images": [image], "label": None}},
        {"a": {"images": [image, image], "label": label}},
        {"a": {"images": ["$GONE/x.png"], "label": label}},
        {"../a": {"images": [image], "label": label}},
        {n: {"images": [image], "label": label} for n in "abcd"},
    ]
    return made.set("dataset", made.pick(tables))


@mutation
def landmarks_other(made: Made) -> str | None:
    """The list of landmarks is another than the files'."""
    lists: list[Any] = [
        *(["root"], ["tip_left", "root"], ["other"], [], ["root", "root"]),
        ["tip_left", "tip_right", "root", "never"],
        {"names": ["tip_left", "tip_right", "root"], "pairs": [["tip_left", "x"]]},
        {"names": ["tip_left", "tip_right", "root"], "pairs": [["root", "root"]]},
        *([1, 2, 3], "root", {"root": 0}, [f"l{n}" for n in range(40)]),
    ]
    return made.set("landmarks", made.pick(lists))


@mutation
def json_spoilt(made: Made) -> str | None:
    """dataset.json is no JSON, or not an object, or in another encoding."""
    path = made.folder / "dataset.json"
    content = path.read_bytes()
    choices = [
        *(b"", b"[]", b"null", b'"text"', content[:-5], content + b"}", b"\xff\xfe"),
        b"\xef\xbb\xbf" + content,
        content.decode("utf-8", "replace").encode("utf-16"),
        content.replace(b'"labels"', b'"labels": {}, "labels"', 1),
        content.replace(b"1", b"NaN"),
        content.replace(b'"', b"'"),
        b"[" * 5000,
    ]
    path.write_bytes(made.pick(choices))
    return "dataset.json"


@mutation
def json_missing(made: Made) -> str | None:
    """dataset.json is not there."""
    (made.folder / "dataset.json").unlink(missing_ok=True)
    return "dataset.json"


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value, inner and outer ones."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, within in inner:
        yield from _leaves(within, (*path, key))


@mutation
def annotation_value_odd(made: Made) -> str | None:
    """A value anywhere in a JSON of annotations is another, or gone, or twice."""
    path = made.text()
    if path is None or path.suffix != ".json":
        return None
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    ways = list(_leaves(known))
    if not ways:
        return None
    way = made.pick(ways)
    within = known
    for key in way[:-1]:
        within = within[key]
    what = made.pick(["odd", "odd", "gone", "twice", "far"])
    if what == "gone":
        del within[way[-1]]
    elif what == "twice" and isinstance(within, list):
        within.append(within[way[-1]])
    elif what == "far":
        within[way[-1]] = made.pick([1e9, -5.0, float("nan"), 15.5, "12,5"])
    else:
        within[way[-1]] = made.pick(ODD)
    path.write_text(json.dumps(known), encoding="utf-8")
    return f"{path.name}: {'.'.join(map(str, way))} {what}"


@mutation
def table_odd(made: Made) -> str | None:
    """A table of points has odd cells, rows, separators or encodings."""
    path = made.text()
    if path is None or path.suffix != ".csv":
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    rows = text.splitlines()
    at = int(made.random.integers(1, max(2, len(rows))))
    what = made.pick(
        [
            *("comma", "gone", "twice", "cell", "far", "empty", "header", "missing"),
            *("utf-16", "bom", "tab", "unknown", "short", "none", "zero", "latin"),
        ]
    )
    cells = rows[at].split(",") if at < len(rows) else ["a", "b", "1", "2"]
    changed = {
        "comma": [row.replace(",", ";").replace(".", ",") for row in rows],
        "gone": rows[:at] + rows[at + 1 :],
        "twice": [*rows, ",".join(cells)],
        "cell": [*rows[:at], ",".join([*cells[:2], "x", *cells[3:]]), *rows[at + 1 :]],
        "far": [*rows[:at], ",".join([*cells[:2], "1e9", "-3"]), *rows[at + 1 :]],
        "empty": [*rows[:at], ",".join([*cells[:2], "", ""]), *rows[at + 1 :]],
        "header": rows[1:],
        "missing": rows[:1],
        "tab": [row.replace(",", "\t") for row in rows],
        "unknown": [*rows, "case_0,other,1,1", "gone,root,1,1"],
        "short": [*rows[:at], ",".join(cells[:-1]), *rows[at + 1 :]],
        "none": [*rows[:at], ",".join([*cells[:2], "nan", "nan"]), *rows[at + 1 :]],
        "zero": [*rows[:at], ",".join([*cells[:2], "0", "0"]), *rows[at + 1 :]],
    }.get(what, rows)
    text = "\n".join(changed) + "\n"
    encoding = {"utf-16": "utf-16", "bom": "utf-8-sig"}.get(what, "utf-8")
    content = text.encode(encoding)
    path.write_bytes(
        content.replace(b"root", b"r\xf6ot") if what == "latin" else content
    )
    return f"{path.name}: {what}"


@mutation
def classes_of_instances(made: Made) -> str | None:
    """Classes of instances are odd, or there are several and no table of them."""
    if made.task != "instance":
        return None
    labels = {"background": 0, "cell": 1, "other": 2}
    made.set("labels", labels)
    table = made.pick([None, {}, {"1": 1, "2": 2}, {"1": 9}, {"x": 1}, [1, 2]])
    if table is not None and (made.folder / "labelsTr").is_dir():
        for number in range(4):
            path = made.folder / "labelsTr" / f"case_{number}.json"
            path.write_text(json.dumps({"instances": table}), encoding="utf-8")
    return f"{table}"


@mutation
def components(made: Made) -> str | None:
    """Maps are said to be masks of the foreground."""
    return made.set("components", made.pick([True, False, "yes"]))


@mutation
def second_annotation(made: Made) -> str | None:
    """There is a table, or a COCO file, beside the annotations."""
    name = made.pick(["labelsTr.csv", "labelsTr.json", "annotations.json"])
    if (made.folder / name).exists():
        return None
    texts = ["case,landmark,x,y\ncase_0,root,1,1\n", '{"images": []}', "{}", ""]
    (made.folder / name).write_text(made.pick(texts), encoding="utf-8")
    return str(name)


@mutation
def sidecar(made: Made) -> str | None:
    """A side-car of a TIFF is odd."""
    texts = [
        *('{"spacing": [5, 1, 1]}', '{"spacing": [1e9, 1, 1]}', "{}", "[]", "x", ""),
        *('{"spacing": "1"}', '{"spacing": [1, 1]}', '{"spacing": [5,1,1], "unit": 3}'),
    ]
    if made.kind not in ("semantic_tiff", "instance_tiff"):
        return None
    number = int(made.random.integers(4))
    path = made.folder / "imagesTr" / f"case_{number}.json"
    path.write_text(made.pick(texts), encoding="utf-8")
    return path.name
