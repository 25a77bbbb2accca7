import shutil
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from autoseg.cli.main import load_command, main, make_parser
from autoseg.outputs import JOURNAL
from autoseg.spec.choice import Choice
from tests.predict import toy_model as model


def write(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).normal(size=(9, 10, 12)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-1, -1, 1, 1.0])), path)


@pytest.fixture
def root(tmp_path):
    """A root with a trained model, and images beside it."""
    model.saved(tmp_path, model.plan(patch=16), folds=("0", "1"), seed=2)
    for number in range(2):
        write(tmp_path / "images" / f"c{number}_0000.nii.gz", number)
    return tmp_path


def run(*words):
    return main(["predict", *map(str, words)])


def read(path):
    return np.asarray(nibabel.load(path).dataobj)


def test_a_folder_is_predicted_with_a_model_folder(root, capsys):
    folder = root / "results" / "Toy" / "toy" / "net"

    code = run("-i", root / "images", "-o", root / "out", "-m", folder)

    assert code == 0
    assert f"2 predictions in {root / 'out'}" in capsys.readouterr().out
    assert read(root / "out" / "c0.nii.gz").shape == (9, 10, 12)


def test_a_model_is_found_by_data_set_configuration_and_plan(root):
    words = ["-i", root / "images", "-o", root / "out", "--root", root]

    assert run(*words, "-d", "Toy", "-c", "net", "-p", "toy") == 0
    assert (root / "out" / "c1.nii.gz").is_file()


def test_the_call_of_3d_slicers_extension_works(root):
    """As SlicerNNUnet calls nnUNetv2_predict."""
    shutil.move(root / "results" / "Toy", root / "results" / "Dataset007_Toy")
    (root / "results" / "Dataset007_Toy" / "toy").rename(
        root / "results" / "Dataset007_Toy" / "unet"
    )

    code = run(
        "-i", root / "images", "-o", root / "out", "-d", "7", "-tr", "nnUNetTrainer",
        "-p", "nnUNetPlans", "-c", "net", "-f", "0", "1", "-npp", "0", "-nps", "0",
        "-step_size", "0.5", "-device", "cuda", "-chk", "checkpoint_final.pth",
        "--disable_tta", "--root", root,
    )  # fmt: skip

    assert code == 0
    assert len(list((root / "out").glob("*.nii.gz"))) == 2


def test_folds_and_mirrors_and_steps_change_the_prediction(root):
    folder = root / "results" / "Toy" / "toy" / "net"
    image = root / "images" / "c0_0000.nii.gz"
    found = {}

    for name, words in {
        "all": [],
        "one fold": ["-f", "1"],
        "no mirrors": ["--disable_tta"],
    }.items():
        out = root / f"{name}.nii.gz"
        assert run("-i", image, "-o", out, "-m", folder, *words) == 0
        found[name] = read(out)

    assert not np.array_equal(found["all"], found["one fold"])
    assert not np.array_equal(found["all"], found["no mirrors"])


def test_parts_and_continuing(root):
    words = ["-i", root / "images", "-o", root / "out"]
    words += ["-m", root / "results" / "Toy" / "toy" / "net"]

    assert run(*words, "-num_parts", "2", "-part_id", "1") == 0
    assert {p.name for p in (root / "out").iterdir()} == {"c1.nii.gz", JOURNAL}
    before = (root / "out" / "c1.nii.gz").stat().st_mtime_ns
    assert run(*words, "--continue_prediction") == 0
    assert (root / "out" / "c1.nii.gz").stat().st_mtime_ns == before
    assert (root / "out" / "c0.nii.gz").is_file()


def test_probabilities(root):
    words = ["-i", root / "images" / "c0_0000.nii.gz", "-o", root / "out"]
    words += ["-m", root / "results" / "Toy" / "toy" / "net", "--save_probabilities"]

    assert run(*words) == 0
    assert run(*words, "--probabilities-format", "npz") == 0
    assert {p.name for p in (root / "out").iterdir()} == {
        "c0.nii.gz",
        "c0_probabilities.b2nd",
        "c0_probabilities.json",
        "c0.npz",
        JOURNAL,
    }


def test_one_bad_image_gives_exit_code_1(root, capsys):
    (root / "images" / "c0_0000.nii.gz").write_bytes(b"nothing")

    code = run(
        "-i", root / "images", "-o", root / "out",
        "-m", root / "results" / "Toy" / "toy" / "net",
    )  # fmt: skip

    assert code == 1
    assert "1 of 2 cases failed" in capsys.readouterr().err
    assert (root / "out" / "c1.nii.gz").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "DATASET CONFIGURATION, or -m MODEL"),
        (["-m", "nowhere"], "no model nowhere"),
        (["-m", "images"], "images is no model"),
        (["-m", "results/Toy/toy/net/fold_0"], "part of the model"),
        (["-d", "Toy", "-c", "other", "--root", "."], "Trained are: toy/net"),
        (["-d", "Nothing", "--root", "."], "No data set 'Nothing'"),
        (["-m", "results/Toy/toy/net", "-f", "7"], "it has 0, 1"),
        (["-m", "results/Toy/toy/net", "-chk", "best"], "it has none"),
        (["-m", "results/Toy/toy/net", "-device", "tpu"], "No device"),
        (["-m", "results/Toy/toy/net", "-step_size", "2"], "step size"),
        (["-m", "results/Toy/toy/net", "-npp", "-1"], "0 or more"),
        (["-m", "results/Toy/toy/net", "-part_id", "3"], "counted from 0"),
    ],
)
def test_what_cannot_be_is_said(root, capsys, monkeypatch, words, said):
    monkeypatch.chdir(root)

    code = run("-i", "images", "-o", "out", *words)

    assert code == 2
    assert said in capsys.readouterr().err


def test_the_flags_of_nnunets_command_are_understood():
    parser = make_parser("predict", load_command("predict"))

    arguments = parser.parse_args(
        "-i IN -o OUT -d 4 -p P -tr T -c 3d_fullres -f 0 1 2 3 4 -step_size 0.5 "
        "--disable_tta --verbose --save_probabilities --continue_prediction "
        "-chk checkpoint_best.pth -npp 3 -nps 3 -prev_stage_predictions DIR "
        "-num_parts 2 -part_id 1 -device cpu --disable_progress_bar "
        "--not_on_device".split()
    )

    assert arguments.folds == ["0", "1", "2", "3", "4"]
    assert arguments.checkpoint == "checkpoint_best.pth"
    assert (arguments.num_parts, arguments.part_id) == (2, 1)
    assert arguments.disable_tta and arguments.continue_prediction


def test_help_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from autoseg.cli.main import load_command, make_parser; "
        "make_parser('predict', load_command('predict')).format_help(); "
        "print('torch' in sys.modules)"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert out.stdout.strip() == "False", out.stderr


def test_files_of_instances_are_written_on_request(tmp_path):
    from PIL import Image

    representation = {"name": "border_core", "options": {"thickness": [1.0, 1.0]}}
    options = {"labels": {"cell": 1}, "representation": representation, "axes": 2}
    plan = model.plan(2, patch=16, unit="px")
    plan = replace(plan, task=Choice(name="instance", options=options))
    labels = {"background": 0, "cell": 1}
    folder = model.saved(tmp_path, plan, ending=".png", labels=labels, task="instance")
    (tmp_path / "images").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (20, 24), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "c_0000.png")

    words = ["-i", tmp_path / "images", "-o", tmp_path / "out", "-m", folder]
    assert run(*words, "--instance-files", "coco", "geojson") == 0

    found = {path.name for path in (tmp_path / "out").iterdir()}
    beside = {"c_instances.csv", "c_coco.json", "c.geojson"}
    assert found == {"c.png", *beside, JOURNAL}


def test_statistics_and_previews_lie_beside_the_predictions(root, capsys):
    folder = root / "results" / "Toy" / "toy" / "net"

    code = run("-i", root / "images", "-o", root / "out", "-m", folder, "-f", "0",
               "--disable_tta", "--statistics", "--preview")  # fmt: skip

    table = (root / "out" / "statistics.csv").read_text().splitlines()
    columns = table[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in table[1:]]
    labels = read(root / "out" / "c0.nii.gz")
    assert code == 0
    assert [(row["case"], row["class"]) for row in rows] == [
        ("c0", "one"), ("c0", "two"), ("c1", "one"), ("c1", "two")
    ]  # fmt: skip
    assert int(rows[0]["voxels"]) == (labels == 1).sum()
    assert (root / "out" / "c0_preview.png").read_bytes().startswith(b"\x89PNG")
    assert "2 previews" in capsys.readouterr().out
