"""`spaceland serve` as users run it: a process of its own, asked by `spaceland ask` and `spaceland evaluate`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")
pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")

import httpx

from spaceland.cli import run


def talkative(model: object) -> None:
    """A random model that never ends by itself and always says something visible."""
    import torch

    with torch.no_grad():
        head = model.get_output_embeddings().weight  # type: ignore[attr-defined]
        head[256:] = 0
    model.generation_config.eos_token_id = None  # type: ignore[attr-defined]


@contextlib.contextmanager
def process(*argv: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the command; yields the server's address and the process."""
    command = [sys.executable, "-m", "spaceland", "serve", *argv, "--port", "0"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as running:
        try:
            assert running.stdout is not None and running.stderr is not None
            lines = []
            for line in running.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C"):
                    break
            found = re.search(r"Serving at (http://127\.0\.0\.1:\d+)/v1", "".join(lines))
            assert found, running.stderr.read()[-2000:]
            yield found[1], running
        finally:
            if running.poll() is None:
                running.kill()


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["geometry", "local"])
def test_ask_and_evaluate_talk_to_it(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiny_models import SMALL, tiny_model

    from spaceland.models.encoders.open_encoder import open_encoder
    from spaceland.models.geometry_vlm import Sources

    folder = tmp_path / "tiny"
    if kind == "geometry":
        encoder = open_encoder("zeros:vggt")
        model = tiny_model(config=SMALL, encoder=encoder, sources=Sources(encoder="zeros:vggt"))  # type: ignore[arg-type]
        talkative(model.vlm)
        model.save_pretrained(folder)
    else:
        from test_serve_engines import save_plain

        save_plain("qwen2_5_vl", folder, talkative)
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    from rows_vsibench import make_rows

    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in make_rows(6, 3)))
    monkeypatch.setenv("TINY_KEY", "sk-tiny")
    with process(str(folder), "--key-variable", "TINY_KEY", "--max-batch", "3") as (url, server):
        model_option = ["--model", f"openai:tiny@{url}/v1", "--key-variable", "TINY_KEY"]
        out = tmp_path / "ask"
        argv = ["ask", "rooms:7", "Where can I sit?", "--frames", "2", "--out", str(out), "--max-tokens", "8"]
        assert run([*argv, *model_option]) == 0
        answer = json.loads((out / "answer.json").read_text())
        assert answer["answer"] and answer["complete"] is False
        assert (
            run(["evaluate", "vsibench", "--rows", str(rows), *model_option, "--blind", "--out", str(tmp_path / "e")])
            == 0
        )
        result = json.loads((tmp_path / "e" / "result.json").read_text())
        assert result["protocols"]
        assert httpx.get(f"{url}/v1/models").status_code == 401
        metrics = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer sk-tiny"}).text
        answered = 'spaceland_requests_total{path="/v1/chat/completions",status="200"}'
        count = next(line for line in metrics.splitlines() if line.startswith(answered))
        assert float(count.split()[-1]) == 7
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
        assert server.stderr is not None
        log = server.stderr.read()
        assert log.count("/v1/chat/completions 200") == 7 and "sit" not in log and "sk-tiny" not in log


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--host", "0.0.0.0"), "set SPACELAND_SERVE_KEY to a key"),
        (("--port", "99999999"), "cannot listen on 127.0.0.1"),
        (("--host", "no-such-host.invalid", "--without-key"), "cannot listen on no-such-host.invalid"),
        (("--max-batch", "0"), "max_batch of 0 is not usable"),
        (("--image-folder", "/no/such/folder"), "is no folder"),
        (("--cache-mb", "-1"), "--cache-mb is -1"),
        (("--device", "nosuch"), "device 'nosuch' cannot be used"),
        ((), "cannot load"),
    ],
)
def test_clear_errors(
    more: tuple[str, ...],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SPACELAND_SERVE_KEY", raising=False)
    assert run(["serve", str(tmp_path), "--port", "0", *more]) == 2
    assert words in capsys.readouterr().err


def test_a_key_that_cannot_stand_in_a_header(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACELAND_SERVE_KEY", "two words")
    assert run(["serve", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "SPACELAND_SERVE_KEY" in err and "two words" not in err
