"""`spaceland ask` as a program of its own, against a real server."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chat_server import fail, reply, serving
from spaceland.cli import run
from spaceland.prompts.marked import MarkedFolder

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
KEY = "sk-command-line-key"


def spaceland(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    env.pop("OPENAI_BASE_URL", None)
    return subprocess.run(
        [sys.executable, "-m", "spaceland", *arguments], capture_output=True, text=True, cwd=cwd, env=env
    )


def test_room_to_evidence(tmp_path: Path) -> None:
    with serving(fail(503), reply("Sit on object 9, or on <OBJ004>. Not on <OBJ777>.")) as log:
        done = spaceland(
            "ask", "rooms:7", "Where can I sit to read?", "--model", f"openai:tiny@{log.url}", "--frames", "3",
            "--out", "answer", "--table", cwd=tmp_path, OPENAI_API_KEY=KEY,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr and len(log.bodies) == 2
    assert log.headers[1]["Authorization"] == f"Bearer {KEY}"
    content = log.bodies[1]["messages"][1]["content"]
    assert [part["type"] for part in content] == ["image_url"] * 4 + ["text"]
    sent = base64.b64decode(content[0]["image_url"]["url"].partition(",")[2])
    assert sent.startswith(b"\x89PNG")
    record = json.loads((tmp_path / "answer" / "answer.json").read_text())
    assert [thing["mark"] for thing in record["objects"]] == [9, 4] and record["unknown_ids"] == ["777"]
    labels = {
        o["mark"]: o["label"] for o in json.loads((tmp_path / "answer/marked/objects.json").read_text())["objects"]
    }
    assert [thing["label"] for thing in record["objects"]] == [labels[9], labels[4]]
    assert record["pictures"][0]["path"] == "evidence/bev.png" and len(record["pictures"]) >= 2
    assert all((tmp_path / "answer" / picture["path"]).is_file() for picture in record["pictures"])
    page = (tmp_path / "answer" / "answer.html").read_text()
    assert page.count("data:image/") == len(record["pictures"]) and KEY not in page
    assert "777" in done.stdout and labels[9] in done.stdout


def test_marked_folder_is_asked_as_it_is(marked: MarkedFolder, tmp_path: Path) -> None:
    with serving(reply("none")) as log:
        done = spaceland(
            "ask", str(marked.folder), "the piano", "--task", "ground", "--layout", "grid",
            "--model", f"openai:tiny@{log.url}", "--out", str(tmp_path), cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = spaceland("ask", str(marked.folder), "x", "--frames", "2", "--dry-run", cwd=tmp_path).stdout
    assert "[Image 3:" in shown and "[Image 4:" not in shown
    assert len(log.bodies[0]["messages"][1]["content"]) == 3
    assert "no such object" in done.stdout and not (tmp_path / "marked").exists()


def test_dry_run_sends_nothing_and_needs_no_model(marked: MarkedFolder, tmp_path: Path) -> None:
    with serving(reply("x")) as log:
        for model in ([], ["--model", f"openai:gpt-4o@{log.url}"]):
            done = spaceland("ask", str(marked.folder), "Why?", "--dry-run", *model, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            assert "Question: Why?" in done.stdout and "bev.png" in done.stdout
            assert "input tokens" in done.stdout and "Nothing was sent" in done.stdout
    assert log.bodies == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no model to ask: give --model openai:"),
        (["--model", "gpt-4o"], "is no model"),
        (["--model", "openai:gpt-4o"], "OPENAI_BASE_URL"),
        (["--model", "openai:m@http://127.0.0.1:9/v1"], "cannot connect"),
        (["--task", "situated", "--dry-run"], "--situation"),
        (["--task", "distance", "--marks", "0", "99", "--dry-run"], "no object carries the number 99"),
    ],
)
def test_errors_say_what_to_do(
    marked: MarkedFolder,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert run(["ask", str(marked.folder), "What?", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "needs a text"),
        (["--task", "caption"], "task caption needs 1 numbered object: give --marks A"),
        (["--task", "distance", "--marks", "3"], "task distance needs 2 numbered objects"),
        (["x", "--task", "situated"], "a situated question needs a situation"),
        (["x", "--model", "local:/no/such/model"], "/no/such/model"),
        (["x", "--model", "openai:gpt-4o"], "OPENAI_BASE_URL"),
        (["x", "--templates", "none.json"], "none.json"),
    ],
)
def test_what_is_wrong_with_the_question_or_the_model_is_told_before_the_video_is_opened(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    question = [] if not arguments or arguments[0].startswith("--") else [arguments[0]]
    model = [] if "--model" in arguments else ["--model", "openai:m@http://127.0.0.1:9/v1"]
    rest = arguments[len(question) :]
    done = spaceland("ask", "no_such_video.mp4", *question, *model, *rest, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr and "no_such_video" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_good_question_about_no_video_names_the_video(tmp_path: Path) -> None:
    model = ["--model", "openai:m@http://127.0.0.1:9/v1"]
    done = spaceland("ask", "no_such_video.mp4", "What?", *model, cwd=tmp_path)
    assert done.returncode == 2 and "no_such_video.mp4" in done.stderr


def test_lengths_of_an_unknown_scale_are_not_called_metres(marked: MarkedFolder, tmp_path: Path) -> None:
    folder = tmp_path / "marked"
    shutil.copytree(marked.folder, folder)
    record = json.loads((folder / "objects.json").read_text())
    for known, unit in ((True, " m,"), (False, " in an unknown unit,")):
        (folder / "objects.json").write_text(json.dumps({**record, "scale_known": known}))
        with serving(reply(f"object {marked.objects[0].mark}")) as log:
            done = spaceland("ask", str(folder), "What?", "--model", f"openai:t@{log.url}", "--out", "a", cwd=tmp_path)
        line = next(line for line in done.stdout.splitlines() if "centre (" in line)
        assert line.count(unit) == 2


def test_switches_of_marks_are_those_of_mark(tmp_path: Path) -> None:
    shown = ["--frames", "1", "--size", "300", "--style", "som", "--drop", "0.5", "--seed", "3", "--long-side", "256",
             "--mark-size", "50"]  # fmt: skip
    assert run(["ask", "rooms:7", "Why?", "--dry-run", "--out", str(tmp_path / "ask"), *shown]) == 0
    assert run(["mark", "rooms:7", "--out", str(tmp_path / "mark"), *shown]) == 0
    asked, marked = (tmp_path / name / "objects.json" for name in ("ask/marked", "mark"))
    assert asked.read_bytes() == marked.read_bytes()
    record = json.loads(asked.read_text())
    assert record["left_out"]["dropped"] and record["frames"][0]["width"] == 256


def test_pictures_are_sent_in_the_size_they_were_marked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--frames", "1", "--dry-run", "--out", str(tmp_path)]
    assert run(["ask", "rooms:7", "Why?", "--long-side", "400", "--no-marks", "--projection", "perspective", *out]) == 0
    said = capsys.readouterr().out
    assert "[Image 2: frames/000000.jpg, 400 x 300 px" in said and "No object is numbered." in said
    assert "in perspective" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--drop", "0.3"], "--drop asks for 0.3, and it is 0.0"),
        (["--style", "som", "--size", "500"], "--size asks for 500, and it is 400; --style asks for 'som'"),
        (["--no-marks"], "--no-marks asks for False, and it is True"),
        (["--projection", "perspective"], "--projection asks for 'perspective', and it is 'orthographic'"),
        (["--drop", "2"], "a share of 2.0 of the marks cannot be dropped"),
        (["--task", "ground", "--no-marks"], "--no-marks leaves them out"),
        (["--model", "gpt4scene:x", "--long-side", "800"], "gpt4scene sees pictures of 512 px"),
    ],
)
def test_a_marked_folder_is_not_asked_with_other_marks(
    marked: MarkedFolder, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ask", str(marked.folder), "What?", "--dry-run", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_switches_that_the_folder_was_made_with_are_fine(
    marked: MarkedFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ask", str(marked.folder), "What?", "--dry-run", "--size", "400", "--style", "gpt4scene"]) == 0
    assert "Question: What?" in capsys.readouterr().out


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs headless Chromium (Debian: apt install chromium)")
def test_page_in_a_browser(marked: MarkedFolder, tmp_path: Path) -> None:
    attack = "object 0 <img src=x onerror=document.title='hacked'><script>document.title='hacked'</script>"
    with serving(reply(attack)) as log:
        spaceland("ask", str(marked.folder), attack, "--model", f"openai:t@{log.url}", "--out", "a", cwd=tmp_path)
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=2000", "--enable-logging=stderr", "--dump-dom", (tmp_path / "a/answer.html").as_uri()],
        capture_output=True, timeout=180, check=True,
    )  # fmt: skip
    dom = done.stdout.decode()
    assert "<title>Answer: object 0" in dom and "hacked</title>" not in dom
    assert b"CONSOLE" not in done.stderr
