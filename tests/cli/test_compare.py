import shutil

from autoseg.cli.main import main
from tests import toy


def test_an_answer_is_printed_and_a_page_written(tmp_path, capsys):
    dataset = toy.volumes(tmp_path / "Toy", cases=2, test=0)
    shutil.copytree(dataset / "labelsTr", tmp_path / "a")
    shutil.copytree(dataset / "labelsTr", tmp_path / "b")
    page = tmp_path / "page.html"

    code = main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "-d",
                 str(dataset), "-o", str(page), "-np", "1"])  # fmt: skip

    said = capsys.readouterr().out
    assert code == 0
    assert "too few" in said and "equal in 2" in said and str(page) in said
    assert page.is_file() and page.with_suffix(".json").is_file()


def test_a_page_must_be_called_html(tmp_path, capsys):
    assert main(["compare", "a", "b", "-o", str(tmp_path / "page")]) == 2
    assert ".html" in capsys.readouterr().err
