"""From sources to a dataset folder: stage every scene, check, write.

    out/config.json          the settings, written first
    out/images/<scene>/      every image once
    out/staging/<scene>.jsonl one finished scene
    out/rows.jsonl, rows.parquet, README.md, info.json   all of it, written last

Scenes are independent, so any number of worker processes, of shards or of machines gives the same bytes, and a run that
was killed goes on with the scenes that are not staged yet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.datasets.config import GenerateConfig, claim_folder
from spaceland.datasets.engines import Engine, local_engine
from spaceland.datasets.rows import dump_row
from spaceland.datasets.splits import Selection
from spaceland.datasets.stage import SceneJob, scene_rows, staging_path
from spaceland.datasets.write import write_dataset
from spaceland.errors import SceneError, SourceError
from spaceland.files import encode_jpeg
from spaceland.scenes.sources import iterate_scenes, open_source


@dataclass(frozen=True)
class GenerateResult:
    """`info` is the content of info.json, None after a shard; `failures` maps ids of broken scenes to their problems.

    `num_staged` of `num_scenes` scenes are finished, whoever made them.
    """

    info: dict[str, Any] | None
    num_reused: int
    failures: dict[str, str]
    num_scenes: int
    num_staged: int


def generate(
    sources: Sequence[str],
    out: str | Path,
    config: GenerateConfig | None = None,
    *,
    workers: int | None = None,
    engine: Engine | None = None,
    shard: tuple[int, int] | None = None,
    cache_dir: str | Path | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> GenerateResult:
    """Make a dataset, or finish one.

    Args:
        sources: Source specifications, such as "rooms:1-4" or "scannet:/data/scans".
        out: Dataset folder; new, empty, or from an earlier run with the same settings.
        config: Settings.
        workers: Processes of this machine; by default one for each core, at most one for each scene.
        engine: Who stages the scenes, in place of the processes of this machine (see `engines`).
        shard: (i, n): stage only the i-th of n parts of the scenes (1 to n) and join nothing. When all parts are done,
            a run without a shard finds every scene staged and joins them.
        cache_dir: Where visibility is kept, or None.
        progress: Called with (how many more scenes are done, a note) as they finish.

    Raises:
        OutputError: the folder belongs to other settings, or cannot be written.
        SourceError: a source does not exist, or there is no scene at all.
        SceneError: every scene is broken.
    """
    out, config = Path(out), config or GenerateConfig()
    cache_dir = None if cache_dir is None else Path(cache_dir)
    selection = Selection(config.split)
    jobs = list_jobs(sources, out, config, cache_dir, selection)
    settings = config.to_json(sources)
    claim_folder(out, settings)
    mine = jobs if shard is None else shard_of(jobs, *shard)
    todo = [job for job in mine if not staging_path(out, job.scene_id).exists()]
    num_reused = len(mine) - len(todo)
    failures: dict[str, str] = {}
    if progress and num_reused:
        progress(num_reused, "finished earlier")
    for job, problem in (engine or local_engine(workers or os.cpu_count() or 1))(todo):
        if problem:
            failures[job.scene_id] = problem
        if progress:
            progress(1, job.scene_id)
    if shard is not None:
        staged = sum(staging_path(out, job.scene_id).exists() for job in jobs)
        return GenerateResult(None, num_reused, failures, len(jobs), staged)
    good = [job.scene_id for job in jobs if job.scene_id not in failures]
    if not good:
        first = next(iter(failures.values()))
        raise SceneError(f"none of {len(jobs)} scenes could be used; the first problem: {first}")
    failed = [job.scene_id for job in jobs if job.scene_id in failures]
    info = write_dataset(out, good, settings, failed, selection.to_json())
    return GenerateResult(info, num_reused, failures, len(jobs), len(good))


def shard_of(jobs: Sequence[SceneJob], part: int, num_parts: int) -> list[SceneJob]:
    """The part-th of num_parts shares of the jobs, counted from 1: every num_parts-th job."""
    if not 1 <= part <= num_parts:
        raise SourceError(f"shard {part}/{num_parts} does not exist; write 1/{max(num_parts, 1)} and so on")
    return list(jobs[part - 1 :: num_parts])


def list_jobs(
    sources: Sequence[str],
    out: Path,
    config: GenerateConfig,
    cache_dir: Path | None,
    selection: Selection | None = None,
) -> list[SceneJob]:
    """One job for each scene of the split, in order, up to `config.limit`; `selection` notes what is left out."""
    jobs = []
    selection = selection or Selection(config.split)
    for spec, scene_id, source in iterate_scenes(sources):
        if config.limit is not None and len(jobs) >= config.limit:
            break
        if not selection.keeps(source, scene_id):
            continue
        jobs.append(SceneJob(spec, scene_id, out, config, cache_dir))
    if not jobs:
        why = selection.explain()
        where = ", ".join(sources) or "an empty list of sources"
        raise SceneError(f"no scenes left in {where}: {why}" if why else f"no scenes in {where}")
    return jobs


@dataclass(frozen=True)
class Estimate:
    """What a run would make and cost, from a sample of its scenes: rows by task and format, bytes, processor time."""

    num_scenes: int
    num_sampled: int
    rows: dict[str, dict[str, float]]
    num_bytes: float
    num_images: float
    core_hours: float


def estimate(
    sources: Sequence[str], config: GenerateConfig, *, cache_dir: Path | None = None, sample: int = 2
) -> Estimate:
    """Ask about the first scenes without writing anything, and scale up."""
    jobs = list_jobs(sources, Path(), config, cache_dir)
    sampled = jobs[:sample]
    rows: dict[str, dict[str, float]] = {}
    num_bytes, num_images = 0.0, 0.0
    scale = len(jobs) / len(sampled)
    started_s = time.process_time()
    for job in sampled:
        scene = open_source(job.spec).open(job.scene_id)
        made, _ = scene_rows(scene, job.spec, config, cache_dir)
        for row in made:
            formats = rows.setdefault(row["task"], {})
            formats[row["format"]] = formats.get(row["format"], 0.0) + scale
            num_bytes += scale * (len(dump_row(row).encode()) + 1)
        used = {frame_id for row in made for frame_id in row["facts"]["frames"]}
        num_images += scale * len(used)
        if used:
            one = next(frame for frame in scene.frames if frame.id in used)
            num_bytes += scale * len(used) * len(encode_jpeg(one.color()))
    core_hours = scale * (time.process_time() - started_s) / 3600
    return Estimate(len(jobs), len(sampled), rows, num_bytes, num_images, core_hours)
