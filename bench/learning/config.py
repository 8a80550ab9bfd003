"""What an experiment is: a TOML file with data, sizes, arms and seeds, and the cells of its matrix.

A cell is one training run: an arm with or without marks and bird's-eye view, a number of rooms, a seed. All cells have
the same steps and batch; of the same rooms and pictures all arms see the same samples in the same order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from bench.learning.data import DataSpec
from bench.learning.questions import TASKS

from spaceland.errors import TrainingError
from spaceland.training.config import TrainConfig, check_config
from spaceland.training.tables import from_table

TRUNK = "TRUNK"
"""In the name of an encoder: the folder of the trunk that the experiment itself trains."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What is compared. `blind` learns and answers without pictures."""

    name: str
    encoder: str = "none"
    blind: bool = False


@dataclass(frozen=True, kw_only=True)
class TrunkSettings:
    """Of the trunk that is trained first, and where."""

    steps: int = 2000
    clips: int = 8
    most_frames: int = 3
    lr: float = 1e-3
    pose_weight: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A whole experiment. Rooms of `train` are "FIRST-LAST"; `rooms` says how many of them, one entry for each size."""

    about: str
    train: str
    validation: str
    test: str
    rooms: tuple[int, ...]
    clips: int
    test_clips: int
    tasks: tuple[str, ...]
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    model: Mapping[str, Any]
    stage: Mapping[str, Any]
    width: int = 168
    height: int = 112
    marks: tuple[bool, ...] = (True,)
    bev: tuple[bool, ...] = (False,)
    answer_batch: int = 48
    trunk: TrunkSettings | None = None
    adapter: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run."""

    arm: Arm
    marks: bool
    bev: bool
    rooms: int
    seed: int

    @property
    def group(self) -> str:
        """What all seeds of a cell share, as a folder name."""
        shown = f"{'marks' if self.marks else 'nomarks'}-{'bev' if self.bev else 'nobev'}"
        return f"{self.arm.name}-{shown}-{self.rooms}rooms"

    @property
    def name(self) -> str:
        """Of the run."""
        return f"{self.group}-seed{self.seed}"


def read_experiment(path: Path) -> Experiment:
    """Read an experiment.

    Raises:
        TrainingError: the file is missing, no TOML, or has wrong keys or values.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{path} is no experiment: {error}") from error
    found = from_table(Experiment, table, str(path))
    first, last = _range(found.train)
    if not found.rooms or max(found.rooms) > last - first + 1 or min(found.rooms) < 1:
        raise TrainingError(f"{path}: rooms are {list(found.rooms)}, but train has {last - first + 1} rooms")
    strange = sorted(set(found.tasks) - set(TASKS))
    if strange or not found.tasks:
        raise TrainingError(f"{path}: tasks are {', '.join(TASKS)}, not {strange}")
    if any(TRUNK in arm.encoder for arm in found.arms) and found.trunk is None:
        raise TrainingError(f"{path}: an arm wants the {TRUNK}, but there is no table [trunk]")
    return found


def cells_of(experiment: Experiment) -> list[Cell]:
    """All runs; every seed of a cell comes before the next seed of any, so that a part is worth something."""
    return [
        Cell(arm=arm, marks=marks, bev=bev, rooms=rooms, seed=seed)
        for seed, rooms, marks, bev, arm in product(
            experiment.seeds, experiment.rooms, experiment.marks, experiment.bev, experiment.arms
        )
    ]


def data_spec(experiment: Experiment, part: str, cell: Cell) -> DataSpec:
    """The folder that a cell learns from ("train") or is asked about ("validation", "test")."""
    rooms = getattr(experiment, part)
    if part == "train":
        first, _ = _range(rooms)
        rooms = f"{first}-{first + cell.rooms - 1}"
    return DataSpec(
        rooms=rooms,
        clips=experiment.clips if part == "train" else experiment.test_clips,
        tasks=experiment.tasks,
        width=experiment.width,
        height=experiment.height,
        marks=cell.marks,
        bev=cell.bev,
    )


def data_name(part: str, cell: Cell) -> str:
    """Its name below the folder of data."""
    size = f"-{cell.rooms}" if part == "train" else ""
    return f"{part}{size}{'' if cell.marks else '-nomarks'}{'-bev' if cell.bev else ''}"


def train_config(experiment: Experiment, cell: Cell, encoder: str) -> TrainConfig:
    """The run as `spaceland train` takes it; paths are relative to the folder of data.

    Args:
        experiment: The experiment.
        cell: Which run.
        encoder: Of the arm, with the folder of the trunk filled in.
    """
    with_encoder = encoder != "none"
    file = "blind.json" if cell.arm.blind else "chats.json"
    parts = ["language_model"] if cell.arm.blind else ["vision_tower", "merger", "language_model"]
    stage = {
        "name": "learn",
        "data": [{"kind": "chat", "path": f"{data_name('train', cell)}/{file}"}],
        "train": [*parts, *(["adapter"] if with_encoder else [])],
        "one_kind_per_batch": False,
        "group_by_length": False,
        "gradient_checkpointing": False,
        **experiment.stage,
    }
    config = from_table(
        TrainConfig,
        {
            "model": {
                **experiment.model,
                "encoder": encoder,
                "adapter": dict(experiment.adapter) if with_encoder else {},
            },
            "stages": [stage],
            "seed": cell.seed,
            "workers": 0,
            "log_every": 10,
            "save_every": 10**6,
        },
        cell.name,
    )
    check_config(config)
    return config


def _range(rooms: str) -> tuple[int, int]:
    first, _, last = rooms.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        raise TrainingError(f"rooms are '{rooms}', expected FIRST-LAST") from None
