"""The command `autoseg` itself: finding commands, exit codes, what it says."""

import argparse
import errno
import logging
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import types
from importlib.metadata import EntryPoint

import pytest

import autoseg
from autoseg import registry
from autoseg.cli import main as _main
from autoseg.cli._arguments import positive
from autoseg.cli.main import commands, load_command, main, make_parser, summary
from autoseg.errors import CaseErrors, PluginError, UsageError


@pytest.fixture(autouse=True)
def _settings_left_alone(monkeypatch):
    """Keep the environment and the logger as they were."""
    for name in _main.QUIET_THREADS:
        monkeypatch.setenv(name, os.environ.get(name, ""))
        monkeypatch.delenv(name)
    logger = logging.getLogger("autoseg")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def command(monkeypatch):
    """Return a function that puts a command ``toy`` in place: command(run)."""

    def put(run, add_arguments=lambda parser: None, doc="Play.\n\nFor a while."):
        module = types.ModuleType("toy", doc)
        module.run, module.add_arguments = run, add_arguments
        monkeypatch.setattr(_main, "load_command", lambda name: module)

    return put


def _autoseg(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "autoseg", *arguments],
        capture_output=True,
        text=True,
        **options,
    )


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == autoseg.__version__


def test_help_lists_every_command_with_its_first_line(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])

    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert {"fingerprint", "plan", "preprocess", "plan_and_preprocess"} < set(
        commands()
    )
    for name in commands():
        assert f"  {name} " in text
        assert summary(name) in " ".join(text.split())


@pytest.mark.parametrize("name", commands())
def test_every_command_has_a_summary_of_one_line_and_a_working_parser(name):
    assert summary(name).endswith(".") and len(summary(name)) <= 88
    assert make_parser(name, load_command(name)).format_help()


def test_help_imports_no_command_and_neither_numpy_nor_torch():
    code = (
        "import sys\nfrom autoseg.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('IMPORTED', sorted(m for m in sys.modules if m.split('.')[0] in"
        " ('torch', 'numpy', 'planners')"
        " or m.startswith('autoseg.cli.') and '._' not in m))"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "IMPORTED ['autoseg.cli.main']" in out.stdout, out.stderr


@pytest.mark.parametrize(
    "name", ["fingerprint", "plan", "preprocess", "plan_and_preprocess"]
)
def test_help_of_a_command_before_training_imports_no_torch(name):
    code = (
        "import sys\nfrom autoseg.cli.main import main\n"
        f"try: main(['{name}', '--help'])\nexcept SystemExit: pass\n"
        "print('IMPORTED', {'torch', 'scipy', 'skimage', 'SimpleITK', 'blosc2',"
        " 'matplotlib'} & set(sys.modules))"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "IMPORTED set()" in out.stdout, out.stderr


def test_the_word_help_is_help():
    out = _autoseg("help")

    assert (out.returncode, out.stdout) == (0, _autoseg("--help").stdout)
    assert "plan_and_preprocess" in out.stdout


def test_help_of_a_command_can_be_asked_for_by_a_word():
    out = _autoseg("help", "plan")

    assert (out.returncode, out.stdout) == (0, _autoseg("plan", "--help").stdout)


@pytest.mark.parametrize("words", [["--iteration", "5"], ["--iteration=5"]])
def test_an_unknown_option_is_answered_with_the_nearest(words, capsys):
    with pytest.raises(SystemExit):
        main(["train", "D", "2d", "0", *words])

    assert "Did you mean '--iterations'?" in capsys.readouterr().err


def test_an_unknown_command_is_answered_with_the_nearest():
    out = _autoseg("fingerprnt")

    assert out.returncode == 2
    assert "Did you mean 'fingerprint'?" in out.stderr
    assert "Traceback" not in out.stderr


def test_a_private_module_is_no_command():
    with pytest.raises(UsageError, match="no command '_main'"):
        load_command("_main")


def test_dashes_and_underscores_are_the_same_in_a_command(capsys):
    with pytest.raises(SystemExit):
        main(["plan-and-preprocess", "--help"])

    assert "autoseg plan_and_preprocess" in capsys.readouterr().out


def test_an_unknown_option_is_refused_and_none_is_completed(command):
    def add_arguments(parser):
        parser.add_argument("--overwrite", action="store_true")

    command(lambda arguments: None, add_arguments)

    for wrong in ("--nothing", "--over"):
        with pytest.raises(SystemExit) as caught:
            main(["toy", wrong])
        assert caught.value.code == 2


def test_a_command_that_returns_nothing_succeeded(command):
    command(lambda arguments: None)

    assert main(["toy"]) == 0


def test_a_command_may_return_its_exit_code(command):
    command(lambda arguments: 2)

    assert main(["toy"]) == 2


def test_a_mistake_of_the_user_is_one_message_and_exit_code_2(command, capsys):
    def run(arguments):
        raise UsageError("there is no such fold.")

    command(run)

    assert main(["toy"]) == 2
    assert capsys.readouterr().err == "autoseg: there is no such fold.\n"


def test_verbose_also_shows_where_a_mistake_was_noticed(command, capsys):
    def run(arguments):
        raise UsageError("there is no such fold.")

    command(run)
    main(["toy", "--verbose"])

    assert "Traceback" in capsys.readouterr().err


def test_failed_cases_are_exit_code_1(command, capsys):
    def run(arguments):
        raise CaseErrors("preprocess", {"one": UsageError("broken.")}, 3)

    command(run)

    assert main(["toy"]) == 1
    assert "one: broken." in capsys.readouterr().err


def test_a_bug_is_exit_code_1_with_a_traceback(command, capsys):
    def run(arguments):
        return {}["no such key"]

    command(run)

    assert main(["toy"]) == 1
    error = capsys.readouterr().err
    assert "KeyError: 'no such key'" in error and "Traceback" in error
    assert f"a bug in autoseg {autoseg.__version__}" in error


def test_too_little_memory_comes_with_advice(command, capsys):
    def run(arguments):
        raise MemoryError

    command(run)

    assert main(["toy"]) == 1
    assert "--workers 1" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_machine_refuses_is_no_bug(command, capsys, number):
    def run(arguments):
        raise OSError(number, os.strerror(number), "/disk/file")

    command(run)

    assert main(["toy"]) == 2
    error = capsys.readouterr().err
    assert os.strerror(number) in error and "/disk/file" in error
    assert "Traceback" not in error


def test_no_place_for_temporary_files_is_no_bug(command, capsys, monkeypatch):
    def run(arguments):  # as torch does when it is imported
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
        tempfile.gettempdir()

    command(run)

    assert main(["toy"]) == 2
    error = capsys.readouterr().err
    assert "TMPDIR" in error and "disk full" in error and "Traceback" not in error


def test_another_error_of_the_system_is_a_bug(command, capsys):
    def run(arguments):
        raise FileNotFoundError(errno.ENOENT, "No such file", "/disk/file")

    command(run)

    assert main(["toy"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_130_and_says_that_the_same_command_goes_on(command, capsys):
    def run(arguments):
        raise KeyboardInterrupt

    command(run)

    assert main(["toy"]) == 130
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "same command goes on" in error


def test_ctrl_c_does_not_wait_for_threads_in_work():
    code = textwrap.dedent(
        """
        import signal, sys, threading, time, types
        # Where tests run in the background, a shell has Ctrl-C ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from autoseg.cli import main as _main
        from autoseg.parallel import map_cases

        def run(arguments):
            print("running", flush=True)
            map_cases(lambda n: time.sleep(60), [1, 2], stage="toy", workers=2)

        module = types.ModuleType("toy", "Play.")
        module.run, module.add_arguments = run, lambda parser: None
        _main.load_command = lambda name: module
        sys.exit(_main.main(["toy"]))
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "running\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)

    _, error = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "same command goes on" in error and "Traceback" not in error


@pytest.mark.parametrize("lines", [1, 99_999])
def test_a_reader_that_has_seen_enough_is_no_error(lines):
    code = (
        "import sys, types\nfrom autoseg.cli import main as _main\n"
        "module = types.ModuleType('toy', 'Play.')\n"
        "def run(arguments):\n"
        "    sys.stdin.read()\n"
        f"    for _ in range({lines}): print('x' * 100)\n"
        "module.run = run\n"
        "module.add_arguments = lambda parser: None\n"
        "_main.load_command = lambda name: module\n"
        "sys.exit(_main.main(['toy']))"
    )
    pipe = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    process = subprocess.Popen([sys.executable, "-c", code], **pipe)
    process.stdout.close()
    process.stdin.close()  # only now does it begin to print

    error = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=30) == 0
    assert error == b""


def test_waiting_threads_are_told_not_to_spin_unless_the_user_says_otherwise(
    command, monkeypatch
):
    command(lambda arguments: None)
    monkeypatch.setenv("KMP_BLOCKTIME", "7")

    main(["toy"])

    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert os.environ["KMP_BLOCKTIME"] == "7"


def test_what_is_logged_goes_to_standard_error_line_by_line(command, capsys, caplog):
    def run(arguments):
        logger = logging.getLogger("autoseg.somewhere")
        logger.debug("details")
        logger.info("12 cases are there already.")
        logger.warning("the disk is nearly full.")

    command(run)
    main(["toy"])

    caught = capsys.readouterr()
    assert caught.out == ""
    assert not caplog.records  # nobody else prints it a second time
    assert caught.err == (
        "12 cases are there already.\nwarning: the disk is nearly full.\n"
    )


def test_verbose_says_more_and_a_command_may_have_such_an_option_of_its_own(
    command, capsys
):
    def run(arguments):
        logging.getLogger("autoseg.somewhere").debug("details")

    command(run)
    main(["toy", "--verbose"])
    command(run, lambda parser: parser.add_argument("--verbose", action="store_true"))
    main(["toy", "--verbose"])

    assert capsys.readouterr().err == "details\ndetails\n"


def test_commands_of_other_packages_are_found_by_their_entry_point(
    monkeypatch, tmp_path, capsys
):
    (tmp_path / "guest_command.py").write_text(
        '"""Greet."""\n'
        "def add_arguments(parser):\n    parser.add_argument('name')\n"
        "def run(arguments):\n    print('hello', arguments.name)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint(name="greet", value="guest_command", group="autoseg.command")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])

    assert main(["greet", "you"]) == 0

    assert capsys.readouterr().out == "hello you\n"
    assert "greet" in commands()
    assert summary("greet") == "(from guest_command)"


def test_a_command_that_lacks_a_function_is_refused(monkeypatch, tmp_path):
    (tmp_path / "half_command.py").write_text('"""Half."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint(name="half", value="half_command", group="autoseg.command")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])

    with pytest.raises(PluginError, match="no add_arguments and no run"):
        load_command("half")


@pytest.mark.parametrize("text", ["0", "-3", "two", "1.5", ""])
def test_a_count_must_be_a_whole_number_from_one_on(text):
    assert positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError):
        positive(text)
