"""Everything about a run that is known before a model is loaded: data, steps, memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spaceland.errors import TrainingError
from spaceland.training.config import DataConfig, StageConfig, TrainConfig
from spaceland.training.memory import Estimate, Longest, advice, device_bytes, estimate, shape_of
from spaceland.training.mixture import CHARS_PER_TOKEN, Order, estimated_tokens, make_order
from spaceland.training.sources import Source, open_source
from spaceland.training.start import named_parts

_TOKENS_PER_PICTURE = 256


@dataclass(frozen=True, eq=False)
class StagePlan:
    """A stage with its data in order."""

    stage: StageConfig
    sources: tuple[Source, ...]
    order: Order

    @property
    def longest(self) -> Longest:
        """The largest sample that the stage will see."""
        tokens = chars = pictures = 0
        for k, number in zip(self.order.sources, self.order.numbers, strict=True):
            source = self.sources[k]
            tokens = max(tokens, estimated_tokens(source, number, self.order.tokens_per_picture))
            chars, pictures = max(chars, source.num_chars[number]), max(pictures, source.num_pictures[number])
        return Longest(tokens=tokens, learnt=chars // CHARS_PER_TOKEN, pictures=pictures)


@dataclass(frozen=True, eq=False)
class RunPlan:
    """All stages, and the held-out data."""

    stages: tuple[StagePlan, ...]
    held_out: tuple[Source, ...]

    def to_json(self) -> dict[str, Any]:
        """What a run that goes on must find again: counts of every source, steps, and a digest of the order."""
        return {
            "stages": [
                {
                    "name": plan.stage.name,
                    "steps": plan.order.num_steps,
                    "epoch": plan.order.epoch_size,
                    "order": hashlib.sha256(plan.order.sources.tobytes() + plan.order.numbers.tobytes()).hexdigest()[
                        :16
                    ],
                    "sources": [_counts(source, plan.order) for source in plan.sources],
                }
                for plan in self.stages
            ],
            "held_out": [_counts(source) for source in self.held_out],
        }

    def texts(self) -> Iterable[str]:
        """All texts of the training data, for a tokenizer."""
        for plan in self.stages:
            for source in plan.sources:
                for numbers, _ in source.parts.values():
                    for number in numbers:
                        for turn in source.sample(number).turns:
                            yield from (part for part in turn.parts if isinstance(part, str))


def _counts(source: Source, order: Order | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": source.name,
        "rows": source.num_rows,
        "usable": len(source),
        "left_out": dict(sorted(source.left_out.items())),
    }
    if order is not None:
        found |= {"too_long": order.too_long[source.name], "samples": order.taken[source.name]}
    return found


def tokens_per_picture(config: TrainConfig) -> int:
    """As the grid's own settings limit them, without a model: lengths sort samples and estimate memory, no more."""
    limit, cells = config.model.grid.get("max_frame_tokens"), config.model.grid.get("long_side_cells")
    guess = _TOKENS_PER_PICTURE if cells is None else round(cells * cells * 0.75)
    return min(guess, limit) if limit else guess


def check_steps(max_steps: int | None) -> None:
    """Refuse a number of steps below 1.

    Raises:
        TrainingError: it is.
    """
    if max_steps is not None and max_steps < 1:
        raise TrainingError(f"--max-steps is {max_steps}; it must be at least 1")


def plan_run(config: TrainConfig, data_root: Path, out: Path, max_steps: int | None = None) -> RunPlan:
    """Read all data and decide the order.

    Args:
        config: The run.
        data_root: Folder that paths are relative to.
        out: The run's folder; rows of sample rooms are generated below it.
        max_steps: Of every stage, in place of its own.

    Raises:
        TrainingError, SceneError: `max_steps` is below 1; and see `open_source` and `make_order`.
    """
    check_steps(max_steps)
    opened: dict[DataConfig, Source] = {}
    tokens = tokens_per_picture(config)

    def open_all(data: Sequence[DataConfig]) -> tuple[Source, ...]:
        for entry in data:
            if entry not in opened:
                opened[entry] = _open(entry, data_root, out)
        sources = tuple(opened[entry] for entry in data)
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise TrainingError(f"sources need different names, found {', '.join(names)}; set name")
        return sources

    stages = []
    for stage in config.stages:
        sources = open_all(stage.data)
        stages.append(StagePlan(stage, sources, make_order(sources, stage, config.seed, tokens, max_steps)))
    return RunPlan(tuple(stages), open_all(config.eval.data))


def _open(data: DataConfig, root: Path, out: Path) -> Source:
    if data.kind != "rooms":
        return open_source(data, root)
    folder = out / "data" / (data.name or f"rooms-{data.path.replace(',', '_')}")
    return open_source(replace(data, kind="rows", path=str(folder.resolve())), root)


def make_rooms(config: TrainConfig, out: Path) -> None:
    """Generate the rows of sample rooms that a configuration asks for; what is there already stays."""
    from spaceland.cache import default_cache_dir
    from spaceland.datasets.config import GenerateConfig
    from spaceland.datasets.generate import generate

    for data in [*(entry for stage in config.stages for entry in stage.data), *config.eval.data]:
        if data.kind != "rooms":
            continue
        folder = out / "data" / (data.name or f"rooms-{data.path.replace(',', '_')}")
        if not (folder / "rows.jsonl").is_file():
            settings = GenerateConfig(tasks=data.tasks or None, per_scene=data.per_scene, seed=config.seed)
            # In this process: a pool would start the caller's script anew.
            generate([f"rooms:{data.path}"], folder, settings, workers=1, cache_dir=default_cache_dir())


def memory_report(
    config: TrainConfig, stage: StageConfig, longest: Longest, world: int, vlm: Any = None, encoder: Any = None
) -> tuple[Estimate, float | None, list[str]]:
    """What a stage needs on one device, what there is, and what would help.

    Raises:
        TrainingError: the model's sizes are not known.
    """
    shape = shape_of(named_parts(config.model), stage, vlm, encoder)
    shards = world if config.fsdp else 1
    there = device_bytes(config.memory_gb)
    needed = estimate(shape, stage, longest, shards)
    help = [] if there is None else advice(
        shape, stage, longest, there, lora=config.model.lora is not None, shards=shards
    )  # fmt: skip
    return needed, there, help


def longest_without_data(config: TrainConfig, stage: StageConfig) -> Longest:
    """What the stage allows at most, where there is no data yet."""
    pictures = max(1, (stage.max_tokens - 256) // tokens_per_picture(config))
    return Longest(tokens=stage.max_tokens, learnt=1024, pictures=pictures)
