"""Several processes, and one that is killed: torchrun with gloo on the processor, FSDP, SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

from safetensors.torch import load_file
from training_data import row, save_model, write_rows

pytestmark = pytest.mark.heavy
CONFIG = """
seed = 1
workers = 0
save_every = 2
[model]
vlm = "{root}/qwen"
dtype = "float32"
encoder = "zeros:da3-small"
adapter = {{ merger_dim = 8 }}
grid = {{ long_side_cells = 2 }}
[[stages]]
train = ["language_model", "adapter"]
max_steps = {steps}
batch = 4
device_batch = 2
lr = 3e-3
max_tokens = 400
gradient_checkpointing = false
[[stages.data]]
kind = "rows"
path = "rows"
[eval]
every = 3
rows = 4
answers = 4
max_new_tokens = 3
[[eval.data]]
kind = "rows"
path = "held"
"""
FSDP = """
[fsdp]
version = 2
auto_wrap_policy = "TRANSFORMER_BASED_WRAP"
transformer_layer_cls_to_wrap = ["Qwen2_5_VLDecoderLayer"]
state_dict_type = "FULL_STATE_DICT"
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("processes")
    write_rows(root / "rows", [row(k) for k in range(12)])
    write_rows(root / "held", [row(k) for k in range(20, 24)])
    save_model(root / "qwen")
    (root / "plain.toml").write_text(CONFIG.format(root=root, steps=6))
    (root / "long.toml").write_text(CONFIG.format(root=root, steps=30))
    (root / "sharded.toml").write_text(CONFIG.format(root=root, steps=6) + FSDP)
    return root


def command(data: Path, config: str, out: Path, *more: str, processes: int = 1) -> list[str]:
    words = ["-m", "spaceland", "train", str(data / config), "--data", str(data), "--out", str(out), *more]
    if processes == 1:
        return [sys.executable, *words]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", str(port)]
    return [sys.executable, *run, *words]


def start(words: list[str]) -> None:
    done = subprocess.run(
        words, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def losses(out: Path) -> list[float]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [entry["loss"] for entry in rows if "loss" in entry]


def test_two_processes_do_what_one_does(data: Path, tmp_path: Path) -> None:
    start(command(data, "plain.toml", tmp_path / "one"))
    start(command(data, "plain.toml", tmp_path / "two", processes=2))
    start(command(data, "sharded.toml", tmp_path / "sharded", processes=2))
    one = losses(tmp_path / "one")
    assert len(one) == 6 and one[-1] < one[0]
    # Sums in another order, nothing else.
    assert losses(tmp_path / "two") == pytest.approx(one, rel=1e-4)
    assert losses(tmp_path / "sharded") == pytest.approx(one, rel=1e-4)
    states = [load_file(tmp_path / out / "1-train/state.safetensors") for out in ("one", "two", "sharded")]
    for name, value in states[0].items():
        for other in states[1:]:
            # Adam turns the smallest gradients into whole steps, so only their size bounds the difference.
            assert other[name].shape == value.shape and float((other[name] - value).abs().max()) < 2e-2
    assert (tmp_path / "sharded/model/geometry_vlm.json").is_file()
    plans = [json.loads((tmp_path / out / "plan.json").read_text()) for out in ("one", "two", "sharded")]
    assert plans[0] == plans[1] == plans[2]


def test_sharded_runs_go_on(data: Path, tmp_path: Path) -> None:
    start(command(data, "sharded.toml", tmp_path / "a", processes=2))
    told = losses(tmp_path / "a")
    stage = tmp_path / "a/1-train"
    (stage / "state.safetensors").unlink()
    (stage / "checkpoint-6/complete").unlink()
    start(command(data, "sharded.toml", tmp_path / "a", "--resume", processes=2))
    assert losses(tmp_path / "a") == pytest.approx(told, rel=1e-6)


def test_killed_at_any_moment_and_gone_on(data: Path, tmp_path: Path) -> None:
    start(command(data, "long.toml", tmp_path / "whole"))
    out, env = tmp_path / "killed", {**os.environ, "OMP_NUM_THREADS": "1"}
    for steps in (5, 13, 22):
        words = command(data, "long.toml", out, *(["--resume"] if out.exists() else []))
        running = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 200
        while not (out / "metrics.jsonl").is_file() or len(losses(out)) < steps:
            assert running.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.wait()
    start(command(data, "long.toml", out, "--resume"))
    assert losses(out) == losses(tmp_path / "whole")
    first, second = (load_file(folder / "1-train/state.safetensors") for folder in (out, tmp_path / "whole"))
    assert all(first[name].equal(second[name]) for name in second)
