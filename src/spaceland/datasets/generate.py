"""From sources to a dataset folder: stage every scene, check, write.

    out/config.json          the settings, written first
    out/images/<scene>/      every image once
    out/staging/<scene>.jsonl one finished scene
    out/rows.jsonl, rows.parquet, info.json   all of it, written last

Scenes are independent, so any number of worker processes gives the same bytes, and a run that was killed goes on with
the scenes that are not staged yet.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.datasets.config import GenerateConfig, claim_folder
from spaceland.datasets.rows import dump_row
from spaceland.datasets.stage import SceneJob, scene_rows, stage_scene, staging_path
from spaceland.datasets.write import write_dataset
from spaceland.errors import OutputError, SceneError, SpacelandError
from spaceland.files import encode_jpeg
from spaceland.scenes.sources import iterate_scenes, open_source


@dataclass(frozen=True)
class GenerateResult:
    """`info` is the content of info.json; `failures` maps the ids of broken scenes to what is wrong with them."""

    info: dict[str, Any]
    num_reused: int
    failures: dict[str, str]


def generate(
    sources: Sequence[str],
    out: str | Path,
    config: GenerateConfig | None = None,
    *,
    workers: int | None = None,
    cache_dir: str | Path | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> GenerateResult:
    """Make a dataset, or finish one.

    Args:
        sources: Source specifications, such as "rooms:1-4" or "scannet:/data/scans".
        out: Dataset folder; new, empty, or from an earlier run with the same settings.
        config: Settings.
        workers: Processes; by default one for each core, at most one for each scene.
        cache_dir: Where visibility is kept, or None.
        progress: Called with (how many more scenes are done, a note) as they finish.

    Raises:
        OutputError: the folder belongs to other settings, or cannot be written.
        SourceError: a source does not exist, or there is no scene at all.
        SceneError: every scene is broken.
    """
    out, config = Path(out), config or GenerateConfig()
    cache_dir = None if cache_dir is None else Path(cache_dir)
    jobs = list_jobs(sources, out, config, cache_dir)
    settings = config.to_json(sources)
    claim_folder(out, settings)
    todo = [job for job in jobs if not staging_path(out, job.scene_id).exists()]
    num_reused = len(jobs) - len(todo)
    failures: dict[str, str] = {}
    if progress and num_reused:
        progress(num_reused, "finished earlier")
    for job, problem in _run(todo, workers or os.cpu_count() or 1):
        if problem:
            failures[job.scene_id] = problem
        if progress:
            progress(1, job.scene_id)
    good = [job.scene_id for job in jobs if job.scene_id not in failures]
    if not good:
        first = next(iter(failures.values()))
        raise SceneError(f"none of {len(jobs)} scenes could be used; the first problem: {first}")
    info = write_dataset(out, good, settings, [job.scene_id for job in jobs if job.scene_id in failures])
    return GenerateResult(info, num_reused, failures)


def list_jobs(sources: Sequence[str], out: Path, config: GenerateConfig, cache_dir: Path | None) -> list[SceneJob]:
    """One job for each scene, in order, up to `config.limit`."""
    jobs = []
    for spec, scene_id, _ in iterate_scenes(sources):
        if config.limit is not None and len(jobs) >= config.limit:
            break
        jobs.append(SceneJob(spec, scene_id, out, config, cache_dir))
    if not jobs:
        raise SceneError(f"no scenes in {', '.join(sources) or 'an empty list of sources'}")
    return jobs


def _run(jobs: Sequence[SceneJob], workers: int) -> Iterator[tuple[SceneJob, str | None]]:
    """Stage the jobs; yields each with None, or with what is wrong with its scene. Output errors end the run."""
    if workers == 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, _try(job)
        return
    # Fresh interpreters: no state, locks or threads of this process leak into the workers.
    context = multiprocessing.get_context("spawn")
    queue = iter(jobs)
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        running: dict[Future[str | None], SceneJob] = {}
        try:
            # A short queue keeps memory flat however many scenes there are.
            for job in queue:
                running[pool.submit(_try, job)] = job
                if len(running) >= 2 * workers:
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _finished(running: dict[Future[str | None], SceneJob]) -> Iterator[tuple[SceneJob, str | None]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()


def _try(job: SceneJob) -> str | None:
    try:
        stage_scene(job)
    except OutputError:
        raise  # no other scene could be written either
    except SpacelandError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Estimate:
    """What a run would make, from a sample of its scenes: rows by task and format, and bytes of rows and images."""

    num_scenes: int
    num_sampled: int
    rows: dict[str, dict[str, float]]
    num_bytes: float
    num_images: float


def estimate(
    sources: Sequence[str], config: GenerateConfig, *, cache_dir: Path | None = None, sample: int = 2
) -> Estimate:
    """Ask about the first scenes without writing anything, and scale up."""
    jobs = list_jobs(sources, Path(), config, cache_dir)
    sampled = jobs[:sample]
    rows: dict[str, dict[str, float]] = {}
    num_bytes, num_images = 0.0, 0.0
    scale = len(jobs) / len(sampled)
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
    return Estimate(len(jobs), len(sampled), rows, num_bytes, num_images)
