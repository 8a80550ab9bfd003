"""A whole run against a real server: nothing asked twice, nothing lost, whatever stops it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from evaluation_help import question_number

from chat_server import fail, reply, serving, wait
from spaceland.cli import run
from spaceland.errors import ChatError
from spaceland.evaluation.run import Settings, evaluate
from spaceland.evaluation.store import read_records


def command(rows_file: Path, videos: Path, out: Path, url: str, *more: str) -> list[str]:
    return [
        "evaluate", "vsibench", "--rows", str(rows_file), "--media", str(videos), "--model", f"openai:tiny@{url}",
        "--frames", "3", "--out", str(out), *more,
    ]  # fmt: skip


def test_gold_scores_all_and_nothing_is_asked_again(
    rows: list[dict[str, Any]], rows_file: Path, videos: Path, tmp_path: Path, gold_server: Any
) -> None:
    out = tmp_path / "out"
    with serving(wait(0.02, gold_server)) as log:
        assert run(command(rows_file, videos, out, log.url, "--concurrency", "5")) == 0
        assert run(command(rows_file, videos, out, log.url)) == 0
    assert Counter(question_number(body) for body in log.bodies) == Counter(row["id"] for row in rows)
    assert 2 <= log.most_at_once <= 5
    body = log.bodies[0]
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url"] * 3 + ["text"]
    assert body["messages"][0]["content"][-1]["text"].startswith("These are frames of a video.\nQuestion ")
    assert body["max_tokens"] == 16 and body["temperature"] == 0.0
    sent = base64.b64decode(body["messages"][0]["content"][0]["image_url"]["url"].partition(",")[2])
    assert sent.startswith(b"\xff\xd8")
    result = json.loads((out / "result.json").read_text())
    assert result["overall"] == 100.0 and set(result["protocols"]) == {"official", "strict"}
    assert result["frames"]["indices"]["scannet/scene0002_00.mp4"] == [0, 5, 11]
    assert result["frames"]["num"] == 3 and "linspace" in result["frames"]["rule"]
    assert result["model"]["name"] == "openai:tiny" and result["model"]["answered_as"] == ["served"]
    assert result["replies"]["usage"]["total_tokens"] == 7 * len(rows)
    assert log.url not in (out / "result.json").read_text() + (out / "config.json").read_text()
    assert len(result["per_sample"]) == len(rows) and result["rows"]["evaluated"] == len(rows)


def test_killed_at_any_time_it_goes_on(
    rows: list[dict[str, Any]], rows_file: Path, videos: Path, tmp_path: Path, gold_server: Any
) -> None:
    out = tmp_path / "out"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with serving(wait(0.05, gold_server)) as log:
        argv = [sys.executable, "-m", "spaceland", *command(rows_file, videos, out, log.url, "--concurrency", "2")]
        for more in (4, 9, 5):
            target, until = len(log.bodies) + more, time.monotonic() + 120
            process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while len(log.bodies) < target and time.monotonic() < until:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(0.1)
        kept = {record["id"] for record in read_records(out / "predictions.jsonl")}
        mark = len(log.bodies)
        done = subprocess.run(argv, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    # What was on the disk when the last kill came was not asked again, and everything else was.
    last = {str(question_number(body)) for body in log.bodies[mark:]}
    assert kept and last.isdisjoint(kept) and last | kept == {str(row["id"]) for row in rows}
    ids = [record["id"] for record in read_records(out / "predictions.jsonl")]
    assert len(ids) == len(set(ids)) == len(rows)
    assert json.loads((out / "result.json").read_text())["overall"] == 100.0
    # Asked twice was at most what a kill found in flight or just answered: two requests, and two replies.
    assert len(log.bodies) <= len(rows) + 3 * 4


def test_another_configuration_is_refused(
    rows_file: Path, videos: Path, tmp_path: Path, gold_server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with serving(gold_server) as log:
        assert run(command(rows_file, videos, out, log.url, "--limit", "4")) == 0
        for more, words in (
            (("--max-tokens", "20"), "generation.max_tokens: 16 there, 20 now"),
            (("--protocol", "vlmevalkit"), "prompt.protocol"),
            (("--max-side", "32"), "frames.long_side_px: null there, 32 now"),
            (("--blind",), "blind: false there, true now"),
        ):
            assert run(command(rows_file, videos, out, log.url, *more)) == 2
            assert words in capsys.readouterr().err
        asked = {question_number(body) for body in log.bodies}
        # More rows are the same run: the four are not asked again.
        assert run(command(rows_file, videos, out, log.url, "--limit", "9")) == 0
    assert len(asked) == 4 and len(log.bodies) == 9


def test_failures_are_asked_again_and_listed(
    rows: list[dict[str, Any]], rows_file: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times: Counter[int] = Counter()

    def step(handler: Any) -> None:
        number = question_number(handler.body)
        times[number] += 1
        if number == 7 or (number == 8 and times[number] == 1):
            fail(400, "cannot read <b>this</b>")(handler)
        else:
            reply("A")(handler)

    out = tmp_path / "out"
    with serving(step) as log:
        assert run(command(rows_file, videos, out, log.url)) == 1
        assert (times[7], times[8], times[9]) == (2, 2, 1)
        assert "no answer for '7'" in capsys.readouterr().out
        assert [one["id"] for one in json.loads((out / "failures.json").read_text())] == ["7"]
        result = json.loads((out / "result.json").read_text())
        assert list(result["failures"]) == ["7"] and sum(result["protocols"]["official"]["missing"].values()) == 1
        assert next(row for row in result["per_sample"] if row["id"] == "7")["prediction"] is None
        assert run(command(rows_file, videos, out, log.url, "--retries", "0")) == 1
        assert times[7] == 3 and times[9] == 1


def test_a_server_that_is_not_there_stops_the_run(rows: list[dict[str, Any]], videos: Path, tmp_path: Path) -> None:
    with (
        serving(fail(401, "no such key")) as log,
        pytest.raises(ChatError, match=r"8 rows that were asked first failed.*no such key"),
    ):
        evaluate(Settings(benchmark="vsibench", model=f"openai:x@{log.url}"), rows, videos, tmp_path)
    assert len(log.bodies) <= 8 + 2 * 4


def test_a_server_that_goes_away_stops_the_run_and_it_goes_on_later(
    rows: list[dict[str, Any]], videos: Path, tmp_path: Path, gold_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spaceland.evaluation.ask._GIVE_UP_LATER", 10)
    down = fail(400, "gone")
    with serving(*[gold_server] * 6, down) as log:
        settings = Settings(benchmark="vsibench", model=f"openai:x@{log.url}", frames=2)
        with pytest.raises(ChatError, match=r"10 rows in a row failed.*gone.*run the same"):
            evaluate(settings, rows, videos, tmp_path)
    assert len(list(read_records(tmp_path / "predictions.jsonl"))) == 6
    with serving(gold_server) as log:
        settings = Settings(benchmark="vsibench", model=f"openai:x@{log.url}", frames=2)
        assert evaluate(settings, rows, videos, tmp_path).num_asked == len(rows) - 6


def test_unreadable_videos_fail_alone(
    rows: list[dict[str, Any]], videos: Path, tmp_path: Path, gold_server: Any
) -> None:
    import shutil

    folder = tmp_path / "videos"
    shutil.copytree(videos, folder)
    (folder / "scannet" / "scene0000_00.mp4").write_bytes(b"broken")
    with serving(gold_server) as log:
        done = evaluate(Settings(benchmark="vsibench", model=f"openai:x@{log.url}"), rows, folder, tmp_path / "out")
    bad = {str(row["id"]) for row in rows if row["scene_name"] == "scene0000_00"}
    assert done.failures.keys() == bad and len(log.bodies) == len(rows) - len(bad)
    assert all("scene0000_00.mp4" in problem for problem in done.failures.values())


def test_half_a_surrogate_pair_is_kept_all_the_way(rows_file: Path, tmp_path: Path) -> None:
    """A model that stops inside of a character says what is no UTF-8."""
    said, out = "\ud83d chair <b>\x00", tmp_path / "out"
    with serving(reply(said)) as log:
        assert run(command(rows_file, tmp_path, out, log.url, "--blind", "--limit", "3")) == 0
        assert run(command(rows_file, tmp_path, out, log.url, "--blind", "--limit", "3")) == 0
    assert len(log.bodies) == 3
    result = json.loads((out / "result.json").read_text())
    assert {sample["prediction"] for sample in result["per_sample"]} == {said}
    page = ["compare", str(out / "result.json"), "--gallery", str(tmp_path / "g.html"), "--rows", str(rows_file)]
    assert run([*page, "--media", str(tmp_path)]) == 0 and "chair &lt;b&gt;" in (tmp_path / "g.html").read_text()


def test_ctrl_c_ends_soon_and_keeps_what_came(rows_file: Path, videos: Path, tmp_path: Path, gold_server: Any) -> None:
    out = tmp_path / "out"
    with serving(*[gold_server] * 3, wait(120, gold_server)) as log:
        argv = [sys.executable, "-m", "spaceland", *command(rows_file, videos, out, log.url)]
        # A run in the background of a script inherits that interrupts are ignored; a user at a terminal does not.
        process = subprocess.Popen(
            argv, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        )
        until = time.monotonic() + 120
        kept = out / "predictions.jsonl"
        while not (len(log.bodies) >= 6 and kept.is_file() and kept.read_bytes().count(b"\n") == 3):
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "run the same command again" in error
    assert len(list(read_records(out / "predictions.jsonl"))) == 3


def test_blind_sends_no_picture(rows_file: Path, tmp_path: Path, gold_server: Any) -> None:
    with serving(gold_server) as log:
        done = run(
            ["evaluate", "vsibench", "--rows", str(rows_file), "--model", f"openai:t@{log.url}", "--blind",
             "--out", str(tmp_path / "out")]
        )  # fmt: skip
    assert done == 0 and all(isinstance(body["messages"][0]["content"], str) for body in log.bodies)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["frames"] is None and result["model"]["blind"] is True


@pytest.mark.parametrize(("name", "low", "high"), [("oracle", 100, 100), ("random", 5, 60), ("frequency", 20, 80)])
def test_baselines_are_models(rows: list[dict[str, Any]], tmp_path: Path, name: str, low: float, high: float) -> None:
    settings = Settings(benchmark="vsibench", model=f"baseline:{name}")
    done = evaluate(settings, rows, None, tmp_path)
    assert low <= done.result["overall"] <= high and done.num_asked == len(rows)
    assert evaluate(settings, rows, None, tmp_path).num_asked == 0


def test_missing_media_stop_or_are_left_out(
    rows: list[dict[str, Any]], videos: Path, tmp_path: Path, gold_server: Any
) -> None:
    rows[3]["scene_name"] = "scene9999_00"
    with serving(gold_server) as log:
        settings = Settings(benchmark="vsibench", model=f"openai:x@{log.url}", frames=2)
        with pytest.raises(Exception, match=r"1 of 40 rows have no media; row '3'.*scene9999_00"):
            evaluate(settings, rows, videos, tmp_path)
        assert not log.bodies
        skipping = Settings(benchmark="vsibench", model=f"openai:x@{log.url}", frames=2, skip_missing=True)
        done = evaluate(skipping, rows, videos, tmp_path)
    assert done.result["rows"]["without_media"] == 1 and len(log.bodies) == 39
    assert done.result["overall"] == 100.0


def test_changed_prompts_are_asked_again(
    rows: list[dict[str, Any]], videos: Path, tmp_path: Path, gold_server: Any
) -> None:
    with serving(gold_server) as log:
        settings = Settings(benchmark="vsibench", model=f"openai:x@{log.url}", frames=2)
        evaluate(settings, rows, videos, tmp_path)
        before = len(log.bodies)
        rows[5]["question"] = "Which one? Question 5?"
        done = evaluate(settings, rows, videos, tmp_path)
    assert len(log.bodies) == before + 1 and done.num_asked == 1
    assert len(list(read_records(tmp_path / "predictions.jsonl"))) == len(rows) + 1


def test_local_models_get_batches(rows: list[dict[str, Any]], videos: Path, tmp_path: Path) -> None:
    from spaceland.chat.types import Reply

    sizes: list[int] = []

    class Local:
        name = "local"

        def facts(self) -> dict[str, Any]:
            return {"revision": "r1", "dtype": "float32"}

        def complete_many(self, chats: Any, generation: Any) -> list[Any]:
            sizes.append(len(chats))
            assert generation.max_tokens == 16 and all(len(chat[0].content) == 3 for chat in chats)
            return [
                ChatError("too long") if "Question 4?" in chat[0].content[-1] else Reply("B", "m") for chat in chats
            ]

    settings = Settings(benchmark="vsibench", model="local:x", frames=2, batch=6, retries=1)
    done = evaluate(settings, rows, videos, tmp_path, model=Local())  # type: ignore[arg-type]
    assert sizes == [6] * 6 + [4] + [1]
    assert done.failures == {"4": "too long"} and done.result["model"]["revision"] == "r1"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--model", "baseline:psychic"), "unknown baseline"),
        (("--model", "magic:x"), "is no model"),
        (("--model", "baseline:oracle", "--limit", "0"), "leaves nothing"),
        (("--model", "baseline:oracle", "--subset", "odd"), "no subset"),
        (("--model", "baseline:oracle", "--protocol", "odd"), "no protocol"),
        (("--model", "openai:x@http://127.0.0.1:9", "--frames", "0"), "0 frames show nothing"),
    ],
)
def test_clear_errors(
    more: tuple[str, ...], words: str, rows_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "vsibench", "--rows", str(rows_file), "--out", str(tmp_path / "o"), *more]) == 2
    assert words in capsys.readouterr().err


def test_a_judge_scores_what_needs_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rows_openeqa import make_rows

    path = tmp_path / "openeqa.json"
    path.write_text(json.dumps(make_rows(6, 1)))
    argv = ["evaluate", "openeqa", "--rows", str(path), "--model", "baseline:oracle", "--out", str(tmp_path / "o")]
    assert run([*argv, "--protocol", "official"]) == 2
    assert "needs a judge" in capsys.readouterr().err
    with serving(reply("Your mark: 3")) as log:
        assert run([*argv, "--protocol", "official", "--judge", f"openai:judge@{log.url}"]) == 0
        assert log.bodies
    result = json.loads((tmp_path / "o" / "result.json").read_text())
    assert set(result["protocols"]) >= {"official", "official-no-judge"} and result["protocol"] == "official"
    assert run(["compare", str(tmp_path / "o" / "result.json")]) == 0
