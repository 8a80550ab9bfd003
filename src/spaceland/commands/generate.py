"""`spaceland generate`: questions and answers from scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    seed: int = 0,
    dry_run: bool = False,
    no_cache: bool = False,
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
        seed: Another seed picks other facts, wordings and options.
        dry_run: Only estimate rows and size, from the first two scenes.
        no_cache: Do not keep measured visibility between runs.
        visibility_width: Width in pixels at which visible pixels are counted.
        distance: Between box centres, as SPAR has it, or between the nearest points of the boxes.
        depth: Along the optical axis, as SPAR has it, or along the line of sight.
        decimals: Decimals of written metres.
        video_frames: How the frames of a video are chosen: evenly, as SPAR has it, or to see as much as possible.
    """
    from spaceland.cache import default_cache_dir
    from spaceland.datasets.config import GenerateConfig
    from spaceland.datasets.generate import estimate, list_jobs
    from spaceland.datasets.generate import generate as make_dataset
    from spaceland.progress import progress_bar
    from spaceland.questions.conventions import Conventions
    from spaceland.visibility import VisibilityConfig

    config = GenerateConfig(
        tasks=tasks,
        per_scene=per_scene,
        limit=limit,
        seed=seed,
        conventions=Conventions(distance=distance, depth=depth, decimals=decimals, video_frames=video_frames),
        visibility=VisibilityConfig(width_px=visibility_width),
    )
    cache_dir = None if no_cache else default_cache_dir()
    if dry_run:
        _print_estimate(estimate(sources, config, cache_dir=cache_dir), out)
        return 0
    with progress_bar("scenes", len(list_jobs(sources, out, config, cache_dir))) as advance:
        result = make_dataset(sources, out, config, workers=workers, cache_dir=cache_dir, progress=advance)
    _print_result(result, out, sources)
    return 1 if result.failures else 0


def _print_estimate(guess: Estimate, out: Path) -> None:
    from rich.console import Console

    console = Console()
    console.print(_table({task: {f: round(n) for f, n in formats.items()} for task, formats in guess.rows.items()}))
    total = sum(sum(formats.values()) for formats in guess.rows.values())
    console.print(
        f"Estimate for {guess.num_scenes} scenes from {guess.num_sampled} of them: about {total:.0f} rows and "
        f"{guess.num_images:.0f} images, {guess.num_bytes / 1e6:.1f} MB. Nothing was written.",
        highlight=False,
    )
    console.print(f"Next: the same command without --dry-run writes {out}", highlight=False, markup=False)


def _print_result(result: GenerateResult, out: Path, sources: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    info = result.info
    console.print(_table(info["tasks"]))
    rejected = Table("task", "rejected because", "count", title="Rejected candidates", title_justify="left")
    for task, reasons in info["rejections"].items():
        for reason, count in list(reasons.items())[:3]:
            rejected.add_row(task, reason, str(count))
    console.print(rejected)
    for scene_id, problem in result.failures.items():
        console.print(f"left out {scene_id}: {problem}", highlight=False, markup=False)
    reused = f", {result.num_reused} of them finished earlier" if result.num_reused else ""
    console.print(
        f"{info['rows']} rows from {len(info['scenes'])} scenes{reused}: {out / 'rows.jsonl'}", highlight=False
    )
    console.print(f"Next: spaceland verify {out} {' '.join(sources)}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"      spaceland report {out}", highlight=False, markup=False, soft_wrap=True)


def _table(tasks: Mapping[str, Mapping[str, int]]) -> Table:
    from rich.table import Table

    formats = [
        name for name in ("fill", "select", "judge", "sentence") if any(name in counts for counts in tasks.values())
    ]
    table = Table("task", *formats, "rows")
    for task, counts in tasks.items():
        table.add_row(task, *(str(counts.get(name, "")) for name in formats), str(sum(counts.values())))
    return table
