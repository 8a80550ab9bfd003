"""A run: its stages one after the other, each from the last whole checkpoint if there is one.

    out/config.json, plan.json     what the run is; a run that goes on must find the same
    out/metrics.jsonl              see `metrics`
    out/skipped.jsonl              samples that turned out broken
    out/1-spatial/checkpoint-500/  what is trained, optimiser, schedule, random numbers, position in the data
    out/1-spatial/state.safetensors   what the stage (and those before it) changed; written when the stage is done
    out/model/                     the finished model, as `GeometryVLM.from_pretrained` reads it

Every stage begins with the model as the configuration names it and the state of the stage before, so a run that was
killed anywhere and one that never was do the same things.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import save_file
from transformers import PrinterCallback

from spaceland.errors import SpacelandError, TrainingError
from spaceland.files import atomic_path, read_json, write_json
from spaceland.models.geometry_vlm import GeometryVLM
from spaceland.models.types import GeometryEncoder
from spaceland.progress import progress_bar
from spaceland.training.build import TINY, ensure_tiny, open_model
from spaceland.training.collate import TruthOf
from spaceland.training.config import StageConfig, TrainConfig, config_table
from spaceland.training.memory import check_model
from spaceland.training.metrics import JsonLines, MetricsCallback, last_checkpoint
from spaceland.training.parts import count_parts, set_dtypes, set_trained
from spaceland.training.plan import RunPlan, StagePlan, check_steps, make_rooms, memory_report, plan_run
from spaceland.training.stage import make_trainer
from spaceland.training.start import named_parts
from spaceland.training.tables import differences, from_table
from spaceland.training.trainer import load_tensors, trained_tensors
from spaceland.training.truth import room_truth

STATE = "state.safetensors"
_MAY_CHANGE = tuple(
    f"config.{name}" for name in ("about", "workers", "keep", "max_broken", "report_to", "memory_gb", "find_unused")
)
"""What may differ when a run goes on: none of it changes what is learnt."""


@dataclass(frozen=True, eq=False)
class TrainResult:
    """Where the model lies, the last figures, and how many samples were broken."""

    folder: Path
    steps: int
    last: dict[str, float]
    broken: int


def train(
    config: TrainConfig,
    out: Path,
    *,
    data_root: Path = Path(),
    resume: bool = False,
    max_steps: int | None = None,
    encoder: GeometryEncoder | None = None,
    truth: TruthOf | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Train, or go on.

    Args:
        config: The run.
        out: Its folder; with `resume` one of the same run.
        data_root: Folder that paths of data are relative to.
        resume: Go on from the last whole checkpoint; without one the run begins.
        max_steps: Of every stage, in place of its own; learning rates follow.
        encoder: In place of the one that the configuration names.
        truth: Adds true points to pictures, for the `oracle` encoder; by default those of sample rooms.
        say: Told in words what happens.

    Raises:
        TrainingError: the folder holds another run or data changed, nothing to train, a loss that is no number, too
            many broken samples.
        SpacelandError: data or model cannot be read.
    """
    if truth is None and "oracle" in named_parts(config.model).encoder.split(":"):
        truth = room_truth
    state = PartialState(cpu=not torch.cuda.is_available())
    _check_batches(config, state.num_processes)
    check_steps(max_steps)
    if state.is_main_process:
        check_model(config.model, config.stages, encoder)
    table = {"config": config_table(config), "max_steps": max_steps}
    if state.is_main_process:
        _claim(out, table, resume)
        make_rooms(config, out)
    state.wait_for_everyone()
    plan = plan_run(config, data_root, out, max_steps)
    if state.is_main_process:
        _same_plan(out, plan.to_json())
        ensure_tiny(config.model, out / TINY, plan.texts, config.seed)
    state.wait_for_everyone()
    first, done = 0, -1
    for number, stage in enumerate(plan.stages):
        if (_stage_folder(out, number, stage.stage) / STATE).is_file():
            done = number
    for number, stage in enumerate(plan.stages):
        if number > done:
            if state.is_main_process:
                say(_memory(config, stage, out, state.num_processes, encoder))
            _run_stage(config, plan, number, out, first, encoder, truth, say)
            state.wait_for_everyone()
        else:
            say(f"stage '{stage.stage.name}' is done already")
        first += stage.order.num_steps
    if state.is_main_process and not (out / "model" / "geometry_vlm.json").is_file():
        _export(config, plan, out, encoder)
    state.wait_for_everyone()
    rows = JsonLines(out / "metrics.jsonl").read()
    last: dict[str, float] = {}
    for row in rows:
        last |= {name: value for name, value in row.items() if isinstance(value, int | float)}
    return TrainResult(out / "model", first, last, len(JsonLines(out / "skipped.jsonl").read()))


def _claim(out: Path, table: dict[str, Any], resume: bool) -> None:
    path = out / "config.json"
    if not path.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise TrainingError(f"{out} holds files that are no run of ours; choose another --out")
        write_json(path, table)
        return
    if not resume and not (out / "plan.json").is_file():
        # It stopped before its data were read: nothing was learnt.
        shutil.rmtree(out / "data", ignore_errors=True)
        write_json(path, table)
        return
    if not resume:
        raise TrainingError(f"{out} holds a run already; add --resume to go on, or choose another --out")
    old = read_json(path)
    with contextlib.suppress(TrainingError, KeyError, TypeError):
        # Settings that came later are as they are by default.
        old["config"] = config_table(from_table(TrainConfig, old["config"], str(path)))
    changed = [line for line in differences(old, table) if not line.startswith(_MAY_CHANGE)]
    if changed:
        raise TrainingError(
            f"{out} was begun with another configuration: {'; '.join(changed)}. Go on with the old one, or choose "
            "another --out"
        )


def _same_plan(out: Path, table: dict[str, Any]) -> None:
    path = out / "plan.json"
    if not path.is_file():
        write_json(path, table)
        return
    changed = differences(read_json(path), table)
    if changed:
        raise TrainingError(
            f"the data are not those that {out} was begun with: {'; '.join(changed[:6])}. Restore them, or choose "
            "another --out"
        )


def _check_batches(config: TrainConfig, world: int) -> None:
    for stage in config.stages:
        if stage.batch % (stage.device_batch * world):
            raise TrainingError(
                f"stage '{stage.name}': a batch of {stage.batch} cannot be divided among {world} processes with "
                f"{stage.device_batch} samples at a time; choose a multiple of {stage.device_batch * world}"
            )


def _memory(config: TrainConfig, stage: StagePlan, out: Path, world: int, encoder: GeometryEncoder | None) -> str:
    """What a stage will need, in words, with advice where it does not fit. It is an estimate, so nothing is refused."""
    model = config.model
    known = replace(config, model=replace(model, vlm=str(out / TINY)) if model.vlm == TINY else model)
    try:
        needed, there, help = memory_report(known, stage.stage, stage.longest, world, encoder=encoder)
    except SpacelandError as error:
        return f"memory of stage '{stage.stage.name}' is not estimated: {error}"
    words = f"stage '{stage.stage.name}' needs about {needed.total / 1e9:.2f} GB on each device"
    if not help:
        return words
    return f"{words}, which has {(there or 0) / 1e9:.0f} GB. It will not fit; to make it fit: {'; '.join(help)}"


def _stage_folder(out: Path, number: int, stage: StageConfig) -> Path:
    return out / f"{number + 1}-{stage.name}"


def _run_stage(
    config: TrainConfig,
    plan: RunPlan,
    number: int,
    out: Path,
    first_step: int,
    encoder: GeometryEncoder | None,
    truth: TruthOf | None,
    say: Callable[[str], None],
) -> None:
    stage, state = plan.stages[number], PartialState()
    folder = _stage_folder(out, number, stage.stage)
    model, changed = _model_before(config, plan, number, out, encoder)
    set_trained(model, stage.stage.train)
    set_dtypes(model, getattr(torch, config.model.dtype), uniform=bool(config.fsdp))
    checkpoint = last_checkpoint(folder)
    at = first_step + (int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    if state.is_main_process:
        for name in ("metrics.jsonl", "skipped.jsonl"):
            JsonLines(out / name).keep(at)
        for path in folder.glob("checkpoint-*"):
            if checkpoint is None or int(path.name.rpartition("-")[2]) > at - first_step:
                shutil.rmtree(path)  # a killed run's last, unfinished one
    state.wait_for_everyone()
    counts = count_parts(model.named_parameters())
    say(
        f"stage '{stage.stage.name}': {stage.order.num_steps} steps of {stage.stage.batch}"
        + (f", going on after step {at - first_step}" if checkpoint else "")
        + "; trained: "
        + ", ".join(f"{part} {trained / 1e6:.2f} M of {every / 1e6:.2f} M" for part, (every, trained) in counts.items())
    )
    with progress_bar(stage.stage.name, stage.order.num_steps) as advance:
        advance(at - first_step, "")
        trainer = make_trainer(config, plan, stage, folder, model, truth)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(
            MetricsCallback(
                out,
                stage.stage.name,
                first_step,
                take_broken=trainer.take_broken,
                advance=advance if state.is_main_process else lambda steps, note: None,
            )
        )
        earlier = [row for row in JsonLines(out / "skipped.jsonl").read() if row["step"] > first_step]
        trainer.num_broken = len(earlier)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped) if config.fsdp else None
    if state.is_main_process:
        tensors = trained_tensors(trainer.model, weights, also=changed)
        with atomic_path(folder / STATE) as temporary:
            save_file(tensors, temporary, metadata={"format": "pt"})
    trainer.accelerator.free_memory()


def _model_before(
    config: TrainConfig, plan: RunPlan, number: int, out: Path, encoder: GeometryEncoder | None
) -> tuple[GeometryVLM, list[str]]:
    """The model as the stages before `number` left it, and the names of what they changed."""
    model = open_model(config.model, seed=config.seed, tiny_folder=out / TINY, encoder=encoder)
    if number == 0:
        return model, []
    # Values of trained parts are kept in float32, whatever the model was stored in.
    parts = {part for stage in config.stages[:number] for part in stage.train}
    set_trained(model, tuple(sorted(parts)))
    set_dtypes(model, getattr(torch, config.model.dtype), uniform=False)
    return model, load_tensors(model, _stage_folder(out, number - 1, plan.stages[number - 1].stage) / STATE)


def _export(config: TrainConfig, plan: RunPlan, out: Path, encoder: GeometryEncoder | None) -> None:
    """The finished model, from the state of the last stage."""
    model, changed = _model_before(config, plan, len(plan.stages), out, encoder)
    own = any(name.startswith("vlm.") and ".lora_" not in name for name in changed)
    # Half the size, and one type for all of the model; state.safetensors keeps every bit.
    model.vlm.to(getattr(torch, config.model.dtype))
    model.eval().save_pretrained(out / "model", base_weights=True if own else None)
