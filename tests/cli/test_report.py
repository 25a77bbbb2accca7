from autoseg.cli.main import main
from tests.report import results_folder


def test_the_page_is_written_and_named(tmp_path, capsys):
    results_folder.prepare(tmp_path, folds=1, cases=2)

    code = main(["report", "Toy", "--root", str(tmp_path), "--no-pictures"])

    page = tmp_path / "results" / "Toy" / "report.html"
    assert code == 0
    assert str(page) in capsys.readouterr().out
    assert page.is_file() and page.with_suffix(".json").is_file()


def test_without_a_data_set_it_asks_for_one(capsys):
    assert main(["report"]) == 2
    assert "which data set" in capsys.readouterr().err
