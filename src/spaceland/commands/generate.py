"""`spaceland generate`: questions and answers from scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from rich.table import Table

    from spaceland.datasets.generate import Estimate, GenerateResult


def generate(
    sources: tyro.conf.Positional[tuple[str, ...]],
    *,
    out: Path = Path("out/dataset"),
    tasks: Annotated[tuple[str, ...] | None, tyro.conf.arg(metavar="TASK [TASK ...]")] = None,
    per_scene: int = 20,
    limit: int | None = None,
    workers: int | None = None,
    shard: Annotated[str | None, tyro.conf.arg(metavar="I/N")] = None,
    engine: Literal["local", "ray"] = "local",
    ray_address: str | None = None,
    seed: int = 0,
    split: Literal["all", "train", "val"] = "all",
    val_share: float = 0.1,
    split_seed: int = 0,
    include_benchmark_scenes: bool = False,
    dry_run: bool = False,
    no_cache: bool = False,
    policy: Path | None = None,
    visibility_width: int = 320,
    distance: Literal["center", "surface"] = "center",
    depth: Literal["z", "range"] = "z",
    decimals: int = 1,
    video_frames: Literal["uniform", "coverage"] = "uniform",
) -> int:
    """Make spatial questions with checked answers from scenes.

    Run it again with the same settings to go on after an interruption.

        spaceland generate rooms:1-4 --out out/rooms
        spaceland generate scannet:/data/scans --tasks obj_count room_size --dry-run

    Args:
        sources: Scenes, such as rooms:1-4, scannet:/data/scans or a folder.
        out: Dataset folder.
        tasks: Task names; all tasks by default.
        per_scene: Facts of each task in a scene; each fact gives one row in each format of its task.
        limit: Only the first so many scenes.
        workers: Processes; by default one for each core.
        shard: Only the I-th of N parts of the scenes, for arrays of jobs; a last run without it joins the parts.
        engine: Processes of this machine, or one task for each scene on a Ray cluster (extra "ray").
        ray_address: Of the Ray cluster; by default the environment's RAY_ADDRESS, else a new local one.
        seed: Another seed picks other facts, wordings and options.
        split: Only the rooms of one part; all scans of a room are in the same part.
        val_share: Share of the rooms that is val.
        split_seed: Another seed splits the rooms otherwise.
        include_benchmark_scenes: Keep validation scenes of ScanNet, ScanNet++ and ARKitScenes, which benchmarks use.
        dry_run: Only estimate rows, bytes and core-hours, from the first two scenes.
        no_cache: Do not keep measured visibility between runs.
        policy: JSON file with limits of the ambiguity policy to change, such as {"min_overlap": 0.2}.
        visibility_width: Width in pixels at which visible pixels are counted.
        distance: Between box centres, as SPAR has it, or between the nearest points of the boxes.
        depth: Along the optical axis, as SPAR has it, or along the line of sight.
        decimals: Decimals of written metres.
        video_frames: How the frames of a video are chosen: evenly, as SPAR has it, or to see as much as possible.
    """
    from spaceland.cache import default_cache_dir
    from spaceland.datasets.config import GenerateConfig
    from spaceland.datasets.engines import ray_engine
    from spaceland.datasets.generate import estimate, list_jobs, shard_of
    from spaceland.datasets.generate import generate as make_dataset
    from spaceland.datasets.splits import Split
    from spaceland.errors import SourceError
    from spaceland.files import read_json
    from spaceland.progress import progress_bar
    from spaceland.questions.conventions import Conventions
    from spaceland.questions.policy import AmbiguityPolicy, policy_with
    from spaceland.visibility import VisibilityConfig

    if not sources:
        raise SourceError("no source given; for example: spaceland generate rooms:1 --out out/rooms")
    config = GenerateConfig(
        tasks=tasks,
        per_scene=per_scene,
        limit=limit,
        seed=seed,
        policy=AmbiguityPolicy() if policy is None else policy_with(read_json(policy)),
        conventions=Conventions(distance=distance, depth=depth, decimals=decimals, video_frames=video_frames),
        visibility=VisibilityConfig(width_px=visibility_width),
        split=Split(part=split, val_share=val_share, seed=split_seed, benchmark_scenes=include_benchmark_scenes),
    )
    cache_dir = None if no_cache else default_cache_dir()
    if dry_run:
        _print_estimate(estimate(sources, config, cache_dir=cache_dir), out)
        return 0
    part = None if shard is None else parse_shard(shard)
    jobs = list_jobs(sources, out, config, cache_dir)
    with progress_bar("scenes", len(jobs if part is None else shard_of(jobs, *part))) as advance:
        result = make_dataset(
            sources,
            out,
            config,
            workers=workers,
            engine=ray_engine(ray_address) if engine == "ray" else None,
            shard=part,
            cache_dir=cache_dir,
            progress=advance,
        )
    _print_result(result, out, sources)
    return 1 if result.failures else 0


def parse_shard(text: str) -> tuple[int, int]:
    """ "3/10" as (3, 10)."""
    from spaceland.errors import SourceError

    part, slash, count = text.partition("/")
    if not (slash and part.isdecimal() and count.isdecimal()):
        raise SourceError(f"--shard is '{text}'; write I/N, for example 3/10 for the third of ten parts")
    return int(part), int(count)


def _print_estimate(guess: Estimate, out: Path) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table({task: {f: round(n) for f, n in formats.items()} for task, formats in guess.rows.items()}))
    total = sum(sum(formats.values()) for formats in guess.rows.values())
    console.print(
        f"Estimate for {guess.num_scenes} scenes from {guess.num_sampled} of them: about {total:.0f} rows and "
        f"{guess.num_images:.0f} images, {guess.num_bytes / 1e6:.1f} MB, {guess.core_hours:.2f} core-hours at this "
        "machine's speed. Nothing was written.",
        highlight=False,
    )
    console.print(f"Next: the same command without --dry-run writes {out}", highlight=False, markup=False)


def _print_result(result: GenerateResult, out: Path, sources: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    info = result.info
    if info is None:
        for scene_id, problem in result.failures.items():
            console.print(f"left out {scene_id}: {problem}", highlight=False, markup=False)
        console.print(f"{result.num_staged} of {result.num_scenes} scenes are staged in {out}", highlight=False)
        console.print(
            f"Next: when all shards are done, the same command without --shard joins them to {out / 'rows.jsonl'}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        return
    console.print(_table(info["tasks"]))
    rejected = Table("task", "rejected because", "count", title="Rejected candidates", title_justify="left")
    for task, reasons in info["rejections"].items():
        for reason, count in list(reasons.items())[:3]:
            rejected.add_row(task, reason, str(count))
    console.print(rejected)
    for scene_id, problem in result.failures.items():
        console.print(f"left out {scene_id}: {problem}", highlight=False, markup=False)
    left_out = info["selection"].get("benchmark_scenes_left_out", ())
    if left_out:
        console.print(
            f"{len(left_out)} scenes that benchmarks are evaluated on were left out (info.json names them; "
            "--include-benchmark-scenes keeps them)",
            highlight=False,
            soft_wrap=True,
        )
    reused = f", {result.num_reused} of them finished earlier" if result.num_reused else ""
    console.print(
        f"{info['rows']} rows from {len(info['scenes'])} scenes{reused}: {out / 'rows.jsonl'}", highlight=False
    )
    if not info["rows"]:
        console.print(f"No rows: {_why_no_rows(info)}", highlight=False, markup=False, soft_wrap=True)
        return
    console.print(f"Next: spaceland verify {out} {' '.join(sources)}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"      spaceland report {out}", highlight=False, markup=False, soft_wrap=True)


def _why_no_rows(info: Mapping[str, Any]) -> str:
    """The reason that explains most, and what to do about it."""
    if not any(scene["frames"] for scene in info["scenes"].values()):
        return "the scenes have no frames, and every question is asked about pictures; give scenes with frames"
    tasks = Counter(reason for reasons in info["rejections"].values() for reason in reasons)
    if not tasks:
        return "no task found anything to ask about; `spaceland check` tells what the scenes hold"
    reason, count = tasks.most_common(1)[0]
    of = f"{count} of {len(info['config']['tasks'])} tasks"
    return f"most often '{reason}' ({of}); `spaceland check` tells what the scenes hold"


def _table(tasks: Mapping[str, Mapping[str, int]]) -> Table:
    from rich.table import Table

    formats = [
        name for name in ("fill", "select", "judge", "sentence") if any(name in counts for counts in tasks.values())
    ]
    table = Table("task", *formats, "rows")
    for task, counts in tasks.items():
        table.add_row(task, *(str(counts.get(name, "")) for name in formats), str(sum(counts.values())))
    return table
