"""One run: train a cell, ask about held-out rooms, write what it said and what that scores to one JSON file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from bench.learning.config import TRUNK, Cell, Experiment, data_name, data_spec, train_config
from bench.learning.data import make_data

from spaceland.benchmarks.baselines import baseline_predictions
from spaceland.benchmarks.score import score_benchmark
from spaceland.files import read_json, write_json
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.grid import TokenGrid
from spaceland.training.answers import PROTOCOL, AnswerScores
from spaceland.training.config import DataConfig
from spaceland.training.metrics import JsonLines
from spaceland.training.run import train
from spaceland.training.samples import Sample
from spaceland.training.sources import open_source
from spaceland.training.trunk_training import TrunkTraining, held_out, read_walks, save_trunk, train_trunk
from spaceland.training.truth import room_truth

MAX_NEW_TOKENS = 8


def make_all_data(experiment: Experiment, cells: Sequence[Cell], out: Path, part: str, workers: int) -> None:
    """The folders of data that some cells need; what is there stays."""
    for cell in cells:
        for which in ("train", part):
            make_data(data_spec(experiment, which, cell), out / "data" / data_name(which, cell), workers)


def make_trunk(experiment: Experiment, out: Path, part: str) -> dict[str, Any]:
    """Train the trunk, unless it is there; its own held-out figures."""
    folder, settings = out / "trunk", experiment.trunk
    assert settings is not None
    report = folder / "report.json"
    if report.is_file():
        return read_json(report)
    plain = Cell(arm=experiment.arms[0], marks=experiment.marks[0], bev=False, rooms=max(experiment.rooms), seed=0)
    # The trunk learns at the size at which the arms will show it their frames.
    frame = TokenGrid(**experiment.model.get("grid", {})).frame(experiment.width, experiment.height)
    known, unseen = (read_walks(out / "data" / data_name(which, plain), frame.geometry_px) for which in ("train", part))
    began, curve = time.process_time(), []

    def told(step: int, figures: dict[str, float]) -> None:
        if step % 20 == 0:
            curve.append({"step": step, **figures})
            print(f"trunk {step}/{settings.steps} {figures}", flush=True)

    how = TrunkTraining(**asdict(settings))
    model = train_trunk(known, how, told=told)
    save_trunk(model, folder)
    figures = {
        "rooms": len(known),
        "size_px": list(frame.geometry_px),
        "frames": sum(len(walk.numbers) for walk in known),
        "rooms_held_out": len(unseen),
        "part": part,
        "settings": asdict(settings),
        "cpu_s": round(time.process_time() - began, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out": held_out(model, unseen, known),
        "curve": curve,
    }
    write_json(report, figures)
    return figures


def run_cell(experiment: Experiment, cell: Cell, out: Path, part: str) -> dict[str, Any]:
    """Train, answer, score; a run that is done is read."""
    report = out / "runs" / part / f"{cell.name}.json"
    if report.is_file():
        return read_json(report)
    began, wall = time.process_time(), time.monotonic()
    text = cell.arm.encoder.replace(TRUNK, str((out / "trunk").resolve()))
    config = train_config(experiment, cell, text)
    truth = room_truth if text == "oracle" else None
    # Weights of a random encoder differ from seed to seed as everything else does.
    encoder = open_encoder(text, seed=cell.seed)
    work = out / "work" / cell.name
    result = train(config, work, data_root=out / "data", resume=work.exists(), encoder=encoder, truth=truth, say=print)
    trained = time.process_time() - began
    model = GeometryVLM.from_pretrained(result.folder, encoder=encoder)
    samples = held_out_samples(out / "data", data_name(part, cell), blind=cell.arm.blind)
    asked = AnswerScores(samples, batch=experiment.answer_batch, max_new_tokens=MAX_NEW_TOKENS, truth=truth)
    with torch.inference_mode():
        replies = asked.replies(model)
    found = {
        "cell": {"arm": cell.arm.name, "group": cell.group, "rooms": cell.rooms, "marks": cell.marks, "bev": cell.bev,
                 "seed": cell.seed},
        "encoder": cell.arm.encoder,
        "steps": result.steps,
        "parameters": sum(p.numel() for p in model.parameters()),
        "train_cpu_s": round(trained, 1),
        "answer_cpu_s": round(time.process_time() - began - trained, 1),
        "wall_s": round(time.monotonic() - wall, 1),
        "threads": torch.get_num_threads(),
        "loss": [[row["step"], row["loss"]] for row in JsonLines(work / "metrics.jsonl").read() if "loss" in row],
        "scores": score(samples, replies),
        "replies": replies,
    }  # fmt: skip
    write_json(report, found)
    return found


def held_out_samples(data: Path, name: str, *, blind: bool) -> list[Sample]:
    """All rows of a folder in their order; `blind` ones without pictures."""
    source = open_source(DataConfig(kind="rows", path=name), data)
    samples = [source.sample(number) for number in range(source.num_rows)]
    if not blind:
        return samples
    return [
        replace(
            sample,
            media=(),
            turns=tuple(
                replace(turn, parts=tuple(part for part in turn.parts if isinstance(part, str)))
                for turn in sample.turns
            ),
        )
        for sample in samples
    ]


def score(samples: Sequence[Sample], replies: Mapping[str, str]) -> dict[str, list[float]]:
    """Scores, 0 to 1, of all rows by task, in the order of the rows."""
    rows: list[Any] = [{**dict(sample.reference or {}), "id": sample.id} for sample in samples]
    by_task: dict[str, list[float]] = {}
    for scored in score_benchmark("sparbench", rows, replies, protocol=PROTOCOL, resamples=0).samples:
        by_task.setdefault(scored.task.removesuffix("/fill"), []).append(scored.score)
    return by_task


def frequency(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Scores of the one answer for each task that is best on these very rows: no blind model can know it better."""
    rows: list[Any] = [{**dict(sample.reference or {}), "id": sample.id} for sample in samples]
    return score(samples, baseline_predictions("sparbench", "frequency", rows))


def finished(out: Path, part: str) -> list[dict[str, Any]]:
    """All runs that are done."""
    return [json.loads(path.read_text("utf-8")) for path in sorted((out / "runs" / part).glob("*.json"))]
