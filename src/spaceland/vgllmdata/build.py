"""The sets as files: one staging file for each scan, then one JSON for each task, and the counts.

    out/config.json                                  settings and the content of all inputs, written first
    out/staging/scene0000_00.jsonl                   a finished scan: what was left out, then its rows by task
    out/train/scanrefer_train_32frames.json          and so on, where VG LLM's trainer looks for them
    out/evaluation/threedod/scannet_det_val_4frames.json
    out/counts.json                                  rows beside the paper's, and what was left out

Scans are independent: any number of workers gives the same bytes, and a run that was stopped goes on with the scans
that are not staged yet.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.datasets.config import claim_folder, portable_spec
from spaceland.errors import OutputError, SceneError, SourceError, SpacelandError
from spaceland.exchange.chat import JsonArray
from spaceland.files import atomic_path, write_json, write_text
from spaceland.processes import in_processes
from spaceland.tasks3d.prompts import Task
from spaceland.version import __version__
from spaceland.vgllmdata.captioning import captioning_rows
from spaceland.vgllmdata.described import BoxSource, Described
from spaceland.vgllmdata.detection import detection_rows
from spaceland.vgllmdata.grounding import Row, grounding_rows
from spaceland.vgllmdata.infos import Infos, read_sample
from spaceland.vgllmdata.rules import PAPER, Rules, file_name

_NO_SCAN = "the scan is not in EmbodiedScan's file"


@dataclass(frozen=True, eq=False)
class ScanJob:
    """What a worker needs for one scan."""

    scene: str
    entry: Mapping[str, Any]
    names: Mapping[int, str]
    described: tuple[Described, ...]
    boxes: BoxSource | None
    tasks: tuple[Task, ...]
    rules: Rules
    out: Path


@dataclass(frozen=True)
class Built:
    """Files written; rows, scans and left-out rows of each task; scans that could not be read."""

    files: tuple[Path, ...]
    counts: Mapping[Task, Mapping[str, int]]
    left_out: Mapping[Task, Mapping[str, int]]
    broken: Mapping[str, str]
    num_reused: int


def list_jobs(
    infos: Infos,
    described: Sequence[Described],
    boxes: BoxSource | None,
    tasks: Sequence[Task],
    rules: Rules,
    out: Path,
    limit: int | None = None,
) -> list[ScanJob]:
    """One job for each scan that gives rows, in the order of their names, the first `limit` of them.

    Raises:
        SourceError: no scan is left.
    """
    by_scene: dict[str, list[Described]] = {}
    for one in described:
        by_scene.setdefault(one.scene, []).append(one)
    scenes = [scene for scene in sorted(infos.entries) if "detection" in tasks or scene in by_scene][:limit]
    if not scenes:
        shown = ", ".join(sorted(by_scene)[:3]) or "none"
        raise SourceError(
            f"none of the {len(by_scene)} described scans ({shown}, ...) is among the {len(infos.entries)} of "
            f"EmbodiedScan's file ({', '.join(sorted(infos.entries)[:3])}, ...); do the splits agree?"
        )
    return [
        ScanJob(
            scene, infos.entries[scene], infos.names, tuple(by_scene.get(scene, ())), boxes, tuple(tasks), rules, out
        )
        for scene in scenes
    ]


def build(
    jobs: Sequence[ScanJob],
    settings: Mapping[str, Any],
    *,
    unknown: Sequence[Described] = (),
    workers: int = 1,
    progress: Callable[[int, str], None] | None = None,
) -> Built:
    """Make the sets, or finish them.

    Args:
        jobs: From `list_jobs`; at least one.
        settings: From `settings_of`: a folder made with others is refused.
        unknown: Descriptions whose scan has no job; they are counted.
        workers: Processes.
        progress: Called as progress(steps, note) as scans finish.

    Raises:
        OutputError: the folder belongs to other settings, or cannot be written.
        SceneError: no scan at all could be read.
    """
    out, tasks, rules = jobs[0].out, jobs[0].tasks, jobs[0].rules
    claim_folder(out, dict(settings))
    todo = [job for job in jobs if not staging_path(out, job.scene).exists()]
    if progress and len(todo) < len(jobs):
        progress(len(jobs) - len(todo), "finished earlier")
    broken: dict[str, str] = {}
    for job, problem in in_processes(_stage, todo, workers):
        if problem:
            broken[job.scene] = problem
        if progress:
            progress(1, job.scene)
    good = [job.scene for job in jobs if job.scene not in broken]
    if not good:
        raise SceneError(f"none of {len(jobs)} scans could be used; the first problem: {next(iter(broken.values()))}")
    files, counts, left_out = _join(out, good, tasks, rules)
    for task in tasks:
        if task != "detection" and unknown:
            left_out[task][_NO_SCAN] += len(unknown)
    write_json(
        out / "counts.json",
        {
            "counts": counts,
            "paper": {task: PAPER[task, rules.split] for task in tasks},
            "left_out": {task: dict(sorted(left_out[task].items())) for task in tasks},
            "broken_scans": dict(sorted(broken.items())),
        },
    )
    return Built((*files, out / "counts.json"), counts, left_out, broken, len(jobs) - len(todo))


def settings_of(
    infos: Sequence[Path],
    described: Path | None,
    labels: Path | None,
    boxes: BoxSource | None,
    tasks: Sequence[Task],
    rules: Rules,
    limit: int | None,
) -> dict[str, Any]:
    """All that decides the bytes of the files: rules, and the content of the inputs instead of their places."""
    named = {"infos": infos, "scanrefer": [described], "labels": [labels]}
    if boxes is not None:
        proposals = Path(boxes.proposals) if boxes.proposals and not boxes.mask3d else None
        named |= {"boxes": [boxes.boxes], "proposals": [proposals]}
    content = {name: [_digest(path) for path in paths if path is not None] for name, paths in named.items()}
    return {
        "version": __version__,
        "inputs": content,
        "scans": portable_spec(boxes.scans) if boxes and boxes.scans else None,
        "mask3d": _digest_of_masks(boxes.mask3d) if boxes and boxes.mask3d else None,
        "tasks": list(tasks),
        "rules": rules.to_json(),
        "limit": limit,
    }


def staging_path(out: Path, scene: str) -> Path:
    """The file of a finished scan."""
    return out / "staging" / f"{scene}.jsonl"


def scan_rows(job: ScanJob) -> tuple[dict[Task, list[Row]], dict[Task, dict[str, int]]]:
    """The rows of a scan by task, and what was left out.

    Raises:
        SceneError: its files are damaged.
    """
    sample = read_sample(job.scene, job.entry, job.names)
    rows: dict[Task, list[Row]] = {}
    left_out: dict[Task, dict[str, int]] = {}
    boxes = job.boxes.of(job.scene) if job.boxes is not None and job.described else None
    for task in job.tasks:
        reasons: Counter[str] = Counter(sample.left_out)
        if task == "detection":
            rows[task] = list(detection_rows(sample, job.rules, reasons))
        elif boxes is not None:
            make = grounding_rows if task == "grounding" else captioning_rows
            rows[task] = list(make(sample, job.described, boxes, job.rules, reasons))
        else:
            rows[task], reasons = [], Counter()
        left_out[task] = dict(sorted(reasons.items()))
    return rows, left_out


def _stage(job: ScanJob) -> str | None:
    """Make one scan's staging file; what is wrong with the scan, or None."""
    try:
        rows, left_out = scan_rows(job)
        lines = [json.dumps({"left_out": left_out}, ensure_ascii=False)]
        lines += [
            f"{task}\t{json.dumps(row, ensure_ascii=False, allow_nan=False)}"
            for task in job.tasks
            for row in rows[task]
        ]
        write_text(staging_path(job.out, job.scene), "".join(line + "\n" for line in lines))
    except OutputError:
        raise
    except SpacelandError as error:
        return str(error)
    return None


def _join(
    out: Path, scenes: Sequence[str], tasks: Sequence[Task], rules: Rules
) -> tuple[list[Path], dict[Task, dict[str, int]], dict[Task, Counter[str]]]:
    """One JSON array for each task from all staging files, in the order of the scenes."""
    paths = {task: out / file_name(task, rules) for task in tasks}
    counts: dict[Task, dict[str, int]] = {task: {"rows": 0, "scenes": 0} for task in tasks}
    objects: dict[str, set[tuple[str, ...]]] = {task: set() for task in tasks}
    left_out: dict[Task, Counter[str]] = {task: Counter() for task in tasks}
    with ExitStack() as stack:
        arrays: dict[str, JsonArray] = {
            task: stack.enter_context(JsonArray(stack.enter_context(atomic_path(path)))) for task, path in paths.items()
        }
        for scene in scenes:
            before = {task: arrays[task].count for task in tasks}
            with staging_path(out, scene).open(encoding="utf-8") as lines:
                for task, reasons in json.loads(next(lines))["left_out"].items():
                    left_out[task].update(reasons)
                for line in lines:
                    task, _, text = line.rstrip("\n").partition("\t")
                    row = json.loads(text)
                    arrays[task].write(row)
                    if task != "detection":
                        objects[task].add((scene, row["metadata"]["object_id"], row["metadata"]["ann_id"]))
            for task in tasks:
                counts[task]["scenes"] += arrays[task].count > before[task]
        for task in tasks:
            counts[task]["rows"] = arrays[task].count
            if task != "detection":
                counts[task]["descriptions"] = len(objects[task])
            elif counts[task]["scenes"]:
                counts[task]["windows per scene"] = round(arrays[task].count / counts[task]["scenes"])
    return list(paths.values()), counts, left_out


def _digest(path: Path) -> str:
    """Of a file's content.

    Raises:
        SceneError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error


def _digest_of_masks(folder: Path) -> str:
    """Of the lists of masks, which name the masks of every scan; the masks themselves are too large to be read twice.

    Raises:
        SceneError: there are none, or they cannot be read.
    """
    digest = hashlib.sha256()
    lists = sorted(folder.glob("scene*.txt"))
    if not lists:
        raise SceneError(f"{folder} has no lists of masks (scene0011_00.txt, ...); give the folder that Mask3D wrote")
    for path in lists:
        digest.update(f"{path.name} {_digest(path)}\n".encode())
    return digest.hexdigest()[:16]
