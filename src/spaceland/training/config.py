"""What a training run is: model, stages, data, evaluation. A TOML file, or a preset of ours, and nothing hidden.

    spaceland train my.toml --out out/run        my.toml names models and data
    spaceland train vgllm-4b --out out/run       a preset, with data below the folder of --data

`config_file` reads both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spaceland.errors import TrainingError
from spaceland.models.sources import CONFIG, VGLLM
from spaceland.training.tables import to_table

Part = Literal["vision_tower", "merger", "language_model", "adapter"]
PARTS: tuple[Part, ...] = ("vision_tower", "merger", "language_model", "adapter")
"""Everything that can be trained; a geometry encoder never is."""
OWN = "own"
"""The encoder that comes with a model; none for a plain vision-language model."""


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Low-rank updates of the language model in place of its weights (peft)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, kw_only=True)
class TinySettings:
    """A model made from nothing with its own tokenizer, see `tiny_model`."""

    hidden: int = 192
    layers: int = 4
    heads: int = 4
    vision_hidden: int = 96
    vision_layers: int = 2
    vocabulary: int = 1200


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which model. `vlm` is a folder, a name on the Hugging Face hub, a folder that `save_pretrained` of a GeometryVLM
    wrote, "vgllm:WHERE" for a checkpoint of VG LLM, or "tiny" (see `tiny`). `encoder` is what
    `spaceland.models.encoders.open_encoder` takes, "none" for a plain vision-language model."""

    vlm: str
    encoder: str = OWN
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    attention: Literal["sdpa", "flash_attention_2", "eager"] = "sdpa"
    adapter: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `spaceland.models.adapter.AdapterConfig`."""
    grid: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the grid that decides sizes of pictures."""
    lora: LoraSettings | None = None
    tiny: TinySettings | None = None
    cache_features: bool = False
    """Keep the encoder's features of a clip on disk: 4 MB for each frame, and the encoder runs once for each clip."""
    rotation: Literal["ZXY", "zxy"] | None = None
    """Convention of the angles in the data's boxes, kept with the model; see docs/geometry_vlm.md."""

    @property
    def is_whole(self) -> bool:
        """Whether encoder, adapter and sizes come with `vlm`."""
        return self.vlm.startswith(VGLLM) or (Path(self.vlm) / CONFIG).is_file()


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """One source of samples.

    `kind`: rows (a folder of `spaceland generate`, `import` or `mix`), spar7m (a released SPAR-7M folder), chat (a JSON
    or JSONL file in LLaVA, ShareGPT or messages form), scanalign (a folder of `spaceland scanalign`), rooms (sample
    rooms such as "1-6", from which rows are generated into the run's folder). Paths are relative to --data.
    """

    kind: Literal["rows", "spar7m", "chat", "scanalign", "rooms"]
    path: str
    name: str = ""
    """What counts call it; the last part of the path by default."""
    media: str = ""
    """Folder of the pictures and videos that rows name; by default where the file lies."""
    weight: float = 1.0
    """2 shows every sample twice in an epoch, 0.1 a tenth of them, another tenth in the next epoch."""
    weights: tuple[str, ...] = ()
    """Factors by task or format, as `spaceland mix` takes them: "select=0.1", "depth_*/fill=2" (rows and spar7m)."""
    tasks: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    """Only these (rows and spar7m)."""
    group: str = "3d"
    """Kind of sample: with `one_kind_per_batch` samples of different groups never meet in a step."""
    limit: int | None = None
    """Only the first so many samples."""
    frames: int = 8
    """Of a video: so many frames, evenly."""
    system: str | None = None
    """System prompt; None: what the model's template says."""
    augment: bool = False
    """Zoom pictures whose intrinsics are known (see `augment`); only for data without pixel coordinates in its text."""
    per_scene: int = 20
    """Of `rooms`: facts of each task in a room."""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """A window of the picture, the same for all frames of a clip, takes the place of the whole: another field of view
    and another principal point, while distances and boxes in metres stay what they are."""

    min_zoom: float = 0.75
    """Shortest side of the window as a share of the picture's."""
    max_zoom: float = 1.0
    probability: float = 0.5
    hide_camera: float = 0.0
    """Share of all samples whose intrinsics are kept from the ray embedding: nobody knows those of a plain video, and
    a model that always had them in training would meet their absence for the first time when it is used."""


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """One stretch of training with its own data, trained parts and optimiser."""

    data: tuple[DataConfig, ...]
    train: tuple[Part, ...]
    """Parts that are trained; all others are frozen. With LoRA, "language_model" means its low-rank updates."""
    name: str = "train"
    epochs: float = 1.0
    max_steps: int | None = None
    """In place of `epochs`."""
    batch: int = 64
    """Samples of an optimiser step, over all processes."""
    device_batch: int = 1
    """Samples that a process holds at a time; the rest of the batch is accumulated."""
    lr: float = 1e-5
    part_lr: Mapping[str, float] = field(default_factory=dict)
    """Another learning rate of a part, such as {adapter = 1e-4}."""
    schedule: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    warmup: float = 0.03
    """Share of the steps."""
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    optimizer: str = "adamw_torch"
    """Any name that transformers knows."""
    one_kind_per_batch: bool = True
    group_by_length: bool = True
    max_tokens: int = 12800
    """Longer samples are left out and counted."""
    gradient_checkpointing: bool = True
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """Held-out data: the loss on it, and the scores of generated answers by the rules of SPAR-Bench."""

    data: tuple[DataConfig, ...] = ()
    every: int = 500
    """Steps; the end of a stage is always evaluated."""
    rows: int = 256
    """For the loss, the same rows each time."""
    answers: int = 64
    """Generated, the same rows each time; 0 for none."""
    max_new_tokens: int = 48


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole run."""

    model: ModelConfig
    stages: tuple[StageConfig, ...]
    about: str = ""
    eval: EvalConfig = field(default_factory=EvalConfig)
    seed: int = 0
    log_every: int = 1
    save_every: int = 500
    keep: int = 2
    """Checkpoints of a stage that are kept, at least 2."""
    workers: int = 4
    """Processes that read samples, for each training process; 0: the training process itself."""
    max_broken: float = 0.01
    """Share of samples that may turn out broken before the run stops."""
    report_to: tuple[str, ...] = ()
    """Trackers that transformers knows, such as "tensorboard" or "trackio"."""
    memory_gb: float | None = None
    """Of one device; None: what the device says."""
    fsdp: Mapping[str, Any] = field(default_factory=dict)
    """`fsdp_config` of transformers; empty: no sharding."""
    find_unused: bool = False
    """Data-parallel runs whose steps do not use every trained part (text without pictures among them) need this."""


def check_config(config: TrainConfig) -> None:
    """Refuse what no type can: see the messages.

    Raises:
        TrainingError: two values do not go together, or one is out of its range.
    """
    names = [stage.name for stage in config.stages]
    sources = [*(data for stage in config.stages for data in stage.data), *config.eval.data]
    folders = [*names, *(data.name for data in sources)]
    problems = [
        (not config.stages, "there are no stages; add [[stages]] with data and train"),
        (len(set(names)) < len(names), f"stages need different names, found {', '.join(names)}"),
        (
            "" in names or any(re.search(r"[/\\\0]|^\.\.?$", name) for name in folders),
            "names of stages and data become names of folders: they cannot be empty or hold slashes",
        ),
        (config.keep < 2, "keep must be at least 2: a run that is killed while saving goes on from the one before"),
        (config.log_every < 1 or config.save_every < 1, "log_every and save_every must be at least 1"),
        (
            config.log_every > 0 and config.save_every % config.log_every != 0,
            f"save_every ({config.save_every}) must be a multiple of log_every ({config.log_every}), so that a run "
            "that goes on logs the same figures",
        ),
        (
            bool(config.fsdp.get("cpu_ram_efficient_loading")),
            "fsdp.cpu_ram_efficient_loading leaves models without weights on most processes; take it out",
        ),
        (config.workers < 0, "workers is a number of processes, 0 or more"),
        (config.eval.every < 1, "eval.every must be at least 1"),
        (not 0 <= config.max_broken <= 1, "max_broken is a share from 0 to 1"),
        (config.model.vlm == "tiny" and config.model.tiny is None, 'vlm = "tiny" needs a table [model.tiny]'),
        (
            config.model.is_whole and bool(config.model.adapter or config.model.grid),
            f"adapter and grid come with {config.model.vlm}; take them out",
        ),
    ]
    plain = config.model.encoder in ("none", OWN) and not config.model.is_whole
    for stage in config.stages:
        where = f"stage '{stage.name}'"
        problems += [
            (not stage.data, f"{where} has no data; add [[stages.data]]"),
            (not stage.train, f"{where} trains nothing; train is a list of {', '.join(PARTS)}"),
            (stage.batch < 1 or stage.device_batch < 1, f"{where}: batch and device_batch must be at least 1"),
            (stage.epochs <= 0 and stage.max_steps is None, f"{where}: epochs must be above 0"),
            (stage.max_steps is not None and stage.max_steps < 1, f"{where}: max_steps must be at least 1"),
            (not 0 <= stage.warmup < 1, f"{where}: warmup is a share of the steps from 0 to 1"),
            (
                any(part not in PARTS for part in stage.part_lr),
                f"{where}: part_lr names parts out of {', '.join(PARTS)}",
            ),
            (
                "adapter" in stage.train and plain and not config.model.adapter.get("rays"),
                f"{where} trains an adapter, but there is no encoder; take it out of train, or name an encoder",
            ),
            (
                not 0 < stage.augment.min_zoom <= stage.augment.max_zoom <= 1,
                f"{where}: augment needs 0 < min_zoom <= max_zoom <= 1",
            ),
            (
                not (0 <= stage.augment.probability <= 1 and 0 <= stage.augment.hide_camera <= 1),
                f"{where}: probability and hide_camera of augment are shares from 0 to 1",
            ),
            (
                not all(0 < lr < math.inf for lr in (stage.lr, *stage.part_lr.values())),
                f"{where}: learning rates must be above 0",
            ),
            (
                not (0 <= stage.weight_decay < math.inf and 0 <= stage.max_grad_norm < math.inf),
                f"{where}: weight_decay and max_grad_norm cannot be below 0",
            ),
            (stage.max_tokens < 1, f"{where}: max_tokens must be at least 1"),
        ]
        problems += [(data.weight < 0, f"{where}: a weight below 0") for data in stage.data]
    for wrong, message in problems:
        if wrong:
            raise TrainingError(message)


def config_table(config: TrainConfig) -> dict[str, Any]:
    """The configuration as it is written beside a run and compared when the run goes on."""
    return to_table(config)
