"""The command line as a user meets it: through a process, with its help, its errors and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spaceland.cli import VERBS


def spaceland(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "spaceland", *arguments], capture_output=True, text=True, cwd=cwd)


def test_help_names_every_verb_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from spaceland.cli import run; run(['--help']); "
        "heavy = {'numpy', 'scipy', 'PIL', 'pyarrow', 'trimesh', 'torch', 'tyro'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(f"  {verb}" in result.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    result = spaceland(verb, "--help")
    assert result.returncode == 0, result.stderr
    assert f"usage: spaceland {verb}" in result.stdout


def test_unknown_verb_gets_a_suggestion() -> None:
    result = spaceland("generat", "rooms:1")
    assert result.returncode == 2
    assert result.stderr.strip() == "spaceland: unknown verb 'generat'; did you mean 'generate'?"


def test_unknown_option_gets_a_suggestion() -> None:
    result = spaceland("generate", "rooms:1", "--per-sene", "3")
    assert result.returncode == 2
    assert "--per-scene" in result.stderr + result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "nowhere/at/all"), "'nowhere/at/all' does not exist"),
        (("generate", "scanet:x"), "unknown source kind 'scanet'"),
        (("generate", "rooms:1", "--tasks", "fly"), "unknown task fly; known tasks are depth_prediction_oc"),
        (("generate", "rooms:1?colour=red"), "unknown option colour"),
        (("generate", "rooms:x"), "rooms"),
        (("check", "nowhere"), "'nowhere' does not exist"),
        (("verify", "nowhere", "rooms:1"), "nowhere"),
        (("verify", "folder"), "no source given; name those it was made from: spaceland verify folder rooms:1-4"),
        (("generate",), "no source given; for example: spaceland generate rooms:1 --out"),
        (("report", "nowhere"), "nowhere"),
        (("mark", "nowhere"), "'nowhere' does not exist"),
    ],
)
def test_errors_are_one_clear_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    out = () if arguments[0] in ("check", "verify", "report") else ("--out", str(tmp_path / "out"))
    result = spaceland(*arguments, *out, cwd=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_unknown_folder_is_refused_with_the_kinds(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    result = spaceland("check", str(tmp_path))
    assert result.returncode == 2
    assert "not recognised as any of rooms, folder, scannet, rgbd" in result.stderr


@pytest.mark.parametrize("verb", ["check", "mark"])
def test_an_empty_folder_is_called_empty(verb: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = spaceland(verb, "empty", cwd=tmp_path)
    assert result.returncode == 2
    assert "the folder 'empty' is empty" in result.stderr and "scannet" not in result.stderr


@pytest.mark.parametrize("arguments", ["--help", "check --help"])
def test_a_reader_that_has_read_enough_is_no_error(arguments: str) -> None:
    """As in `spaceland check --help | head -1`: here the reader is gone before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "spaceland", *arguments.split()]
    with os.fdopen(writing, "w") as closed:
        result = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=180)
    assert result.returncode == 141 and result.stderr == ""


def test_version_and_doctor() -> None:
    assert spaceland("--version").stdout.startswith("spaceland 0.")
    result = spaceland("doctor")
    assert result.returncode == 0, result.stdout
    assert "embreex" in result.stdout
    assert "PROBLEM" not in result.stdout


@pytest.mark.heavy
def test_generate_verify_report_on_a_room(tmp_path: Path) -> None:
    """The main way through, with the commands that each step suggests."""
    source = "rooms:2?width=320&height=240"
    made = spaceland("generate", source, "--out", "d", "--per-scene", "2", "--workers", "1", "--no-cache", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert f"Next: spaceland verify d {source}" in made.stdout
    checked = spaceland("verify", "d", source, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert "verified" in checked.stdout
    report = spaceland("report", "d", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "d" / "report.html").is_file()
