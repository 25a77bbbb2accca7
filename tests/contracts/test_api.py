"""Functions, commands and type hints of the public API say the same."""

import ast
import dataclasses
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import autoseg
from autoseg.cli.main import commands, load_command, make_parser
from tests.each import each

ROOT = Path(__file__).parents[2]
NAMES = [name for name in autoseg.__all__ if name[0] != "_"]
FUNCTIONS = [name for name in NAMES if name[0].islower()]

# Flags that belong to the terminal alone: help, nnU-Net's spellings, what is printed.
TERMINAL = {"help", "verbose", "quiet", "json"}
ONLY_FLAGS = {
    "check": {"all"},
    "fingerprint": {"verify_dataset_integrity"},
    "plan": {"explain", "measure", "configurations", "device"},
    "plan_and_preprocess": {"verify_dataset_integrity"},
    "predict": {"dataset", "plan", "root", "trainer", "disable_progress_bar"}
    | {"probabilities_format", "statistics", "preview", "tta", "disable_tta"}
    | {"not_on_device"},
    # A folder of ONNX is made by a function of its own, in a layer above.
    "export": {"dataset", "plan", "root", "format"},
    "doctor": set(),
    "models": set(),
    "compare": set(),
}
# Spelled otherwise on the terminal, or the other way round.
SPELLED = {
    "init": {"no_picture": "picture"},
    "train": {"no_validation": "validation"},
    "plan_and_preprocess": {
        "no_preprocessing": "preprocessing",
        "npfp": "fingerprint_workers",
    },
    "preprocess": {"extend_splits": "extend"},
    "predict": {"prev_stage_predictions": "previous"},
    "evaluate": {"no_border": "border"},
    "find_best": {"no_ensembles": "ensembles", "no_postprocessing": "postprocessing"},
    "report": {"no_pictures": "pictures", "calibration": "outputs"},
}
# What a script can give and a terminal cannot, or gives by other flags.
ONLY_PARAMETERS = {
    "init": {"ask"},
    "run": {"choose"},
    "plan": {"budget"},
    "plan_and_preprocess": {"budget"},
    "train": {"checkpoint_seconds", "to_predict"},
    "predict": {"mirror", "progress", "after", "after_files", "batch"},
    "evaluate": {"task", "cases"},
    "report": {"device", "workers"},
}


def _parameters(name):
    return inspect.signature(getattr(autoseg, name)).parameters


def _flags(name):
    parser = make_parser(name, load_command(name))
    return {action.dest for action in parser._actions} - TERMINAL


def test_every_command_is_a_function_and_every_function_a_command():
    assert set(FUNCTIONS) == set(commands())


@each("name", FUNCTIONS)
def test_flags_and_parameters_are_the_same(name):
    spelled = SPELLED.get(name, {})
    flags = {spelled.get(f, f) for f in _flags(name) - ONLY_FLAGS.get(name, set())}
    parameters = set(_parameters(name)) - ONLY_PARAMETERS.get(name, set())

    assert flags == parameters


@each("name", NAMES)
def test_parameters_are_written_out_with_types(name):
    given = getattr(autoseg, name)
    subjects = [given, given.load] if inspect.isclass(given) else [given]

    for subject in subjects:
        for parameter in inspect.signature(subject).parameters.values():
            assert parameter.kind not in (
                inspect.Parameter.VAR_POSITIONAL,
                inspect.Parameter.VAR_KEYWORD,
            )
            assert parameter.annotation is not inspect.Parameter.empty


def test_options_are_parameters_with_the_same_defaults():
    from autoseg.predict.options import Options as Predicting
    from autoseg.train.setup.options import Options as Training

    functions = [
        (Training, _parameters("train")),
        (Predicting, _parameters("predict")),
        (Predicting, inspect.signature(autoseg.Predictor.load).parameters),
    ]
    for options, parameters in functions:
        for field in dataclasses.fields(options):
            assert field.name in parameters
            if field.default is not dataclasses.MISSING:
                assert parameters[field.name].default == field.default


def test_the_stub_lists_what_there_is_and_where_it_is_from():
    tree = ast.parse((ROOT / "autoseg" / "__init__.pyi").read_text())
    said = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert set(said) == set(NAMES) == set(dir(autoseg)) - {"__version__"}
    for name, place in said.items():
        found = inspect.unwrap(getattr(autoseg, name))
        assert place == f"{found.__module__}.{found.__qualname__}"


@each("name", FUNCTIONS)
def test_help_shows_the_function(name):
    text = pydoc.render_doc(getattr(autoseg, name), renderer=pydoc.plaintext)

    assert f"{name}(" in text
    assert all(parameter in text for parameter in _parameters(name))


def test_a_stage_stays_the_package_that_it_is():
    import autoseg.train.stage

    assert autoseg.train.stage is sys.modules["autoseg.train.stage"]
    assert "stage" in dir(autoseg.train) and "train" in dir(autoseg.train)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        autoseg.train.nothing  # noqa: B018


RIGHT = """
from pathlib import Path

import autoseg
from autoseg import Predictor

plan = autoseg.plan_and_preprocess("Dataset004", gpu_memory=8, settings={"a": 1})
print(plan.configurations["2d"].patch_size)
folder: Path = autoseg.train("Dataset004", "2d", 0, epochs=3, time_budget="2h")
for file in autoseg.predict(folder.parent, "images", "out", device="cpu"):
    print(file.name)
print(autoseg.evaluate("out", "labels").cases)
predictor = Predictor.load("model.zip", folds=[0], mirror=True)
path: Path = autoseg.export(folder.parent, "model.zip", license="CC0")
print(autoseg.check("Dataset004")[0].severity, autoseg.doctor()["machine"])
"""
WRONG = {
    'autoseg.train("D", "2d", 0, epoch=3)': 'Unexpected keyword argument "epoch"',
    'autoseg.train("D", "2d", 0, epochs="three")': 'has incompatible type "str"',
    'autoseg.predict("m", "i", "o", mirrors=True)': '"mirrors"',
    'autoseg.Predictor.load("m", device=3)': 'has incompatible type "int"',
    'x: int = autoseg.plan("D")': "Incompatible types in assignment",
    "autoseg.trian": "has no attribute",
    'autoseg.find_best("D", ensembles="no")': 'has incompatible type "str"',
}


def test_a_script_is_checked_by_its_types(tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text("\n".join(["import autoseg", *WRONG]))
    words = ["--config-file", str(ROOT / "setup.cfg"), "--follow-imports", "silent"]
    words += ["--no-site-packages"]  # a minute without a cache, and of no use here
    words += ["--cache-dir", str(ROOT / ".mypy_cache" / "scripts")]

    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "right.py", "wrong.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT), "PATH": ""},
    )

    lines = done.stdout.splitlines()
    assert not [line for line in lines if line.startswith("right.py")], done.stdout
    for number, (code, words) in enumerate(WRONG.items(), start=2):
        told = [line for line in lines if line.startswith(f"wrong.py:{number}:")]
        assert any(words in line for line in told), (code, done.stdout, done.stderr)


def test_type_hints_are_shipped():
    import configparser

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    shipped = config["options.package_data"]["autoseg"].split()

    assert {"py.typed", "*.pyi"} <= set(shipped)
    assert (ROOT / "autoseg" / "py.typed").is_file()


def test_the_table_of_differences_names_only_what_there_is():
    for name, flags in ONLY_FLAGS.items():
        assert flags <= _flags(name)
    for name, spelled in SPELLED.items():
        assert set(spelled) <= _flags(name)
        assert set(spelled.values()) <= set(_parameters(name))
    for name, parameters in ONLY_PARAMETERS.items():
        assert parameters <= set(_parameters(name))
