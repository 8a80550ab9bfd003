"""metrics.jsonl: one line for each logged step and each evaluation, of all stages.

    {"stage": "spatial", "step": 12, "loss": 1.93, "lr": 1e-05, "grad_norm": 0.8, "tokens": 40123, "time_s": 61.2}
    {"stage": "spatial", "step": 12, "eval_loss": 1.7}      {"stage": ..., "step": 12, "eval_score": 31.0, ...}

Steps count on over the stages. A run that goes on from a checkpoint first drops the lines behind it, so the file is
that of a run without interruption; only `time_s`, the seconds of training so far, tells the difference.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from spaceland.errors import TrainingError
from spaceland.files import write_text

COMPLETE = "complete"
"""File that marks a whole checkpoint."""
_NAMES = {"learning_rate": "lr", "num_input_tokens_seen": "tokens"}
_LEFT_OUT = (
    "epoch",
    "runtime",
    "tokens_per_second",
    "samples_per_second",
    "steps_per_second",
    "total_flos",
    "train_loss",
    "preparation",
)


class JsonLines:
    """A file to which whole lines are added."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; one that a killed process left unfinished is passed over."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text("utf-8").splitlines(keepends=True)
        try:
            return [json.loads(line) for line in lines if line.endswith("\n") and line.strip()]
        except ValueError as error:
            raise TrainingError(f"{self.path} is damaged ({error}); remove it to go on without its figures") from error

    def keep(self, last_step: int) -> None:
        """Drop what is behind a step."""
        rows = [row for row in self.read() if row["step"] <= last_step]
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in rows))

    def add(self, row: dict[str, Any]) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class MetricsCallback(TrainerCallback):
    """Writes metrics and broken samples, marks finished checkpoints, and shows progress."""

    def __init__(
        self,
        out: Path,
        stage: str,
        first_step: int,
        *,
        take_broken: Callable[[], list[tuple[int, str, str]]],
        advance: Callable[[int, str], None],
    ) -> None:
        self._metrics, self._skipped = JsonLines(out / "metrics.jsonl"), JsonLines(out / "skipped.jsonl")
        self._stage, self._first, self._take_broken, self._advance = stage, first_step, take_broken, advance
        earlier = [row["time_s"] for row in self._metrics.read() if "time_s" in row]
        self._started = time.monotonic() - (earlier[-1] if earlier else 0.0)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """A line, unless it is the Trainer's own summary at the end."""
        row: dict[str, Any] = {"stage": self._stage, "step": self._first + state.global_step}
        broken = self._take_broken() if logs and "loss" in logs else []
        figures = {_NAMES.get(k, k): v for k, v in (logs or {}).items() if not any(word in k for word in _LEFT_OUT)}
        if not state.is_world_process_zero or not ({"loss", "eval_loss", "eval_score"} & set(figures)):
            return
        for step, name, problem in broken:
            self._skipped.add({"stage": self._stage, "step": self._first + step, "id": name, "problem": problem})
        if "loss" in figures:
            figures["time_s"] = round(time.monotonic() - self._started, 2)
            if broken:
                figures["skipped"] = len(broken)
        else:
            figures.pop("tokens", None)
        self._metrics.add(row | figures)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Progress."""
        loss = next((entry["loss"] for entry in reversed(state.log_history) if "loss" in entry), None)
        self._advance(1, self._stage if loss is None else f"{self._stage}: loss {loss:.3f}")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Only now is the checkpoint whole; a killed run leaves one without this mark."""
        if state.is_world_process_zero:
            write_text(Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE, "")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a stage."""
    found = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
