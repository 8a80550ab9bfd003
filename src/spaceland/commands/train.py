"""`spaceland train`: a vision-language model, with or without geometry, on spatial data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from spaceland.training.config import TrainConfig


def train(
    config: tyro.conf.Positional[str],
    *,
    out: Path | None = None,
    data: Path = Path(),
    max_steps: int | None = None,
    resume: bool = False,
    dry_run: bool = False,
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH=VALUE [PATH=VALUE ...]")] = (),
    encoder: str | None = None,
    report_to: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="TRACKER [TRACKER ...]")] = None,
) -> int:
    """Train a vision-language model, plain or with a geometry encoder.

    Presets: tiny (minutes on a processor), single-gpu, free, vgllm-4b, vgllm-8b, vgllm-3d, spar-mix,
    gpt4scene.

        spaceland train tiny --out out/tiny
        spaceland train vgllm-4b --data /data/vgllm --dry-run
        torchrun --nproc-per-node 8 -m spaceland train vgllm-4b --data /data/vgllm --out out/vgllm-4b

    Args:
        config: A preset, or a TOML file (docs/training.md).
        out: Folder of the run: metrics.jsonl, checkpoints, the finished model.
        data: Folder that the configuration's paths of data are relative to.
        max_steps: Steps of every stage, in place of its own; learning rates follow.
        resume: Go on from the last whole checkpoint, with the same configuration and data.
        dry_run: Only count data and steps, and estimate memory.
        set: Change values of the configuration, such as stages.0.lr=2e-5 or model.lora.rank=8.
        encoder: Another geometry encoder, such as none, zeros:vggt or da3-base:FOLDER_OR_ID.
        report_to: Trackers beside metrics.jsonl, such as tensorboard or trackio.
    """
    from spaceland.errors import TrainingError, require
    from spaceland.training.config_file import read_config

    changes = [*set, *([f"model.encoder={encoder}"] if encoder is not None else [])]
    changes += [f"report_to={list(report_to)}"] if report_to is not None else []
    read = read_config(config, changes)
    for module in ("torch", "transformers", "accelerate", "peft", "safetensors"):
        require(module, "model")
    if dry_run:
        return _dry_run(read, data, max_steps)
    if out is None:
        raise TrainingError("--out names the folder of the run; --dry-run works without one")
    return _train(read, out, data, max_steps, resume)


def _train(config: TrainConfig, out: Path, data: Path, max_steps: int | None, resume: bool) -> int:
    from rich.console import Console

    from spaceland.training.run import train as run

    console = Console()

    def say(words: str) -> None:
        console.print(words, highlight=False, markup=False, soft_wrap=True)

    result = run(config, out, data_root=data, resume=resume, max_steps=max_steps, say=say)
    loss = f", last loss {result.last['loss']:.3f}" if "loss" in result.last else ""
    held_out = "".join(
        f", {words} {result.last[key]:.{digits}f}"
        for key, words, digits in (("eval_loss", "held-out loss", 3), ("eval_score", "score of answers", 1))
        if key in result.last
    )
    say(f"{result.steps} steps{loss}{held_out}: {out / 'metrics.jsonl'}")
    if result.broken:
        say(f"{result.broken} samples were broken and added nothing: {out / 'skipped.jsonl'}")
    say(f"The model is in {result.folder}")
    say(f"Next: spaceland serve {result.folder}")
    return 0


def _dry_run(config: TrainConfig, data: Path, max_steps: int | None) -> int:
    """Counts and memory. Without the data memory is still estimated, for the longest samples that are allowed."""
    import tempfile

    from rich.console import Console
    from rich.table import Table

    from spaceland.errors import SceneError, TrainingError
    from spaceland.training.memory import check_model
    from spaceland.training.plan import check_steps, longest_without_data, make_rooms, memory_report, plan_run

    console = Console()
    check_steps(max_steps)
    check_model(config.model, config.stages)
    problem, plan = None, None
    with tempfile.TemporaryDirectory() as folder:
        try:
            make_rooms(config, Path(folder))
            plan = plan_run(config, data, Path(folder), max_steps)
        except (TrainingError, SceneError) as error:
            problem = error
        if plan is not None:
            table = Table("stage", "source", "rows", "usable", "left out", "too long", "samples seen")
            for stage in plan.to_json()["stages"]:
                for source in stage["sources"]:
                    reasons = ", ".join(f"{reason} ({count})" for reason, count in source["left_out"].items())
                    numbers = (source[key] for key in ("rows", "usable"))
                    table.add_row(
                        stage["name"], source["name"], *(f"{n:,}" for n in numbers), reasons,
                        f"{source['too_long']:,}", f"{source['samples']:,}",
                    )  # fmt: skip
            console.print(table)
            for held_out in plan.to_json()["held_out"]:
                console.print(f"held out: {held_out['name']}, {held_out['usable']:,} samples", highlight=False)
        for number, stage in enumerate(config.stages):
            if plan is not None:
                order = plan.stages[number].order
                console.print(
                    f"{stage.name}: {order.num_steps:,} steps of {stage.batch} samples, {order.epoch_size:,} samples "
                    "in an epoch",
                    highlight=False,
                )
            longest = longest_without_data(config, stage) if plan is None else plan.stages[number].longest
            needed, there, help = memory_report(config, stage, longest, 1)
            parts = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in needed.items.items())
            console.print(
                f"{stage.name}: about {needed.total / 1e9:.2f} GB on one device ({parts}) for samples of up to "
                f"{longest.tokens:,} tokens and {longest.pictures} pictures"
                + ("" if there is None else f"; the device has {there / 1e9:.0f} GB"),
                highlight=False,
                soft_wrap=True,
            )
            for line in help:
                console.print(f"  to make it fit: {line}", highlight=False, markup=False, soft_wrap=True)
    if problem is not None:
        raise problem
    console.print("Nothing was written.")
    return 0
