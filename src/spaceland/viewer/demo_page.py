"""The index page of `spaceland demo`: scenes, questions, proof, marked views, scores, commands, and what to do next.

It expects this layout and links to it with relative addresses:

    out/scenes/<scene>/     scene folders          out/marked/<scene>/   bird's-eye view, frames, prompt
    out/dataset/            rows, images, report   out/scores/<name>.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.benchmarks import ScoreResult
from spaceland.datasets.config import portable_spec
from spaceland.prompts import MarkedScene
from spaceland.questions.phrasing import FORMATS
from spaceland.sampling import evenly
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import open_scene
from spaceland.verify import VerifyReport
from spaceland.viewer.html import Child, tag
from spaceland.viewer.index import Image, Link, Section, Table, write_index

_NUM_FRAMES = 4


@dataclass(frozen=True)
class DemoResults:
    """What the steps gave: the source, info.json, verification, marked views and scores by name."""

    source: str
    info: Mapping[str, Any]
    verified: VerifyReport
    marked: Mapping[str, MarkedScene]
    scores: Mapping[str, ScoreResult]


def write_demo_page(out: Path, results: DemoResults) -> Path:
    """Write `out/index.html`; returns its path."""
    scenes = {scene_id: open_scene(f"folder:{out / 'scenes' / scene_id}") for scene_id in results.marked}
    info, source = results.info, portable_spec(results.source)
    rows, tasks = info["rows"], len(info["tasks"])
    lead = (
        f"{_count(len(scenes), 'scene')} from {source} became {rows} questions of {tasks} tasks, bird's-eye views "
        f"with numbered objects, and scores. Derived a second time by other code, {results.verified.verified} of "
        f"{results.verified.total} answers are the same."
    )
    sections = [
        _scenes(out, scenes),
        _questions(info),
        _verification(results.verified),
        *(_marked(out, scene_id, marked) for scene_id, marked in results.marked.items()),
        _scores(results.scores),
        _commands(out, results),
    ]
    return write_index(
        out, "The whole way, once", sections, lead=lead, links=[Link("dataset/report.html", "Open the report")]
    )


def _scenes(out: Path, scenes: Mapping[str, Scene]) -> Section:
    table: list[list[Child]] = []
    images = []
    for scene_id, scene in scenes.items():
        area = f"{scene.room.area_m2:.1f} m\N{SUPERSCRIPT TWO}" if scene.room else "unknown"
        table.append([scene_id, len(scene.frames), len(scene.objects), len(scene.label_counts), area, scene.geometry])
        for frame in (scene.frames[k] for k in evenly(len(scene.frames), _NUM_FRAMES)):
            if frame.color_path is not None:
                path = frame.color_path.resolve().relative_to(out.resolve()).as_posix()
                images.append(Image(path, f"{scene_id}, frame {frame.id}"))
    return Section(
        title="Scenes",
        text=[
            "A scene is frames with poses, objects, surface and room. These lie in open folders that anything can read."
        ],
        tables=[Table(["scene", "frames", "objects", "labels", "floor", "geometry"], table)],
        images=images,
        links=[Link(f"scenes/{scene_id}/scene.json", f"{scene_id}: scene.json") for scene_id in scenes],
    )


def _questions(info: Mapping[str, Any]) -> Section:
    formats = [name for name in FORMATS if any(name in counts for counts in info["tasks"].values())]
    rows: list[list[Child]] = [
        [tag("code", task), *(counts.get(name, "") for name in formats), sum(counts.values())]
        for task, counts in info["tasks"].items()
    ]
    rows.append(["all", *(sum(c.get(name, 0) for c in info["tasks"].values()) for name in formats), info["rows"]])
    return Section(
        title="Questions",
        text=["Each fact found in a scene is asked in every format of its task. The report shows samples with all that "
              "is behind them: marks, numbers, a plan of the room, and what was rejected as unclear."],
        tables=[Table(["task", *formats, "rows"], rows)],
        links=[
            Link("dataset/report.html", "Open the report"),
            Link("dataset/rows.jsonl", "rows.jsonl"),
            Link("dataset/rows.parquet", "rows.parquet"),
            Link("dataset/info.json", "info.json"),
        ],
    )  # fmt: skip


def _verification(verified: VerifyReport) -> Section:
    text: list[Child] = [
        tag("span", f"Verified {verified.verified} of {verified.total}.", class_="good" if verified.ok else None),
        "Separate plain solvers, which share nothing with the generator but geometry, worked every answer out again "
        "from the scenes.",
    ]
    tables = []
    if verified.failures:
        tables.append(Table(["row that does not hold", "reason"], [list(item) for item in verified.failures[:20]]))
    if verified.skipped:
        tables.append(Table(["test that was not possible", "times"], [list(item) for item in verified.skipped.items()]))
    return Section(title="Proof", text=text, tables=tables)


def _marked(out: Path, scene_id: str, marked: MarkedScene) -> Section:
    folder = f"marked/{scene_id}"
    images = [Image(f"{folder}/bev.png", "bird's-eye view, without the ceiling")]
    images += [Image(f"{folder}/{entry['image']}", f"frame {entry['id']}") for entry in marked.record["frames"]]
    return Section(
        title=f"Marked views of {scene_id}",
        text=[
            f"The same number is the same object on every picture; {_count(len(marked.record['objects']), 'object')} "
            "carry one. Below is the text that goes to a vision-language model with the pictures."
        ],
        images=images,
        first_large=True,
        code=_prompt_text(marked.prompt),
        links=[Link(f"{folder}/prompt.json", "prompt.json"), Link(f"{folder}/objects.json", "objects.json")],
    )


def _prompt_text(prompt: list[dict[str, Any]]) -> str:
    parts = [part for message in prompt for part in message["content"] if isinstance(part, dict)]
    return "\n\n".join(str(part["text"]) for part in parts if part.get("type") == "text")


def _scores(scores: Mapping[str, ScoreResult]) -> Section:
    first = next(iter(scores.values()))
    shown = ["overall", *first.tasks, *first.other]
    rows: list[list[Child]] = []
    for name in shown:
        count = first.counts.get(name, sum(first.counts.get(task, 0) for task in first.tasks))
        rows.append([tag("code", name), *(_score(result, name) for result in scores.values()), count])
    unscored = sum(first.unscored.values())
    return Section(
        title="Scores",
        text=[
            f"Three baselines under the {first.protocol} protocol of SPAR-Bench, 0 to 100. The oracle gives the right "
            "answers, random draws options or answers of other rows, frequency always gives the answer that pays best. "
            "A model has to be better than the last two.",
            f"Overall is the mean over the tasks as SPAR-Bench asks them; task/format rows come on top. {unscored} "
            "sentences have no score.",
        ],
        tables=[Table(["task", *scores, "rows"], rows)],
        links=[Link(f"scores/{name}.json", f"{name}.json") for name in scores],
    )


def _score(result: ScoreResult, name: str) -> str:
    value = result.overall if name == "overall" else result.tasks.get(name, result.other.get(name))
    return "" if value is None else f"{value:.1f}"


def _commands(out: Path, results: DemoResults) -> Section:
    base, rows = out.name, f"{out.name}/dataset/rows.jsonl"
    scene_id = next(iter(results.marked))
    commands = [
        f"spaceland save '{portable_spec(results.source)}' --out {base}/scenes",
        f"spaceland generate folder:{base}/scenes --out {base}/dataset",
        f"spaceland verify {base}/dataset folder:{base}/scenes",
        f"spaceland report {base}/dataset",
        f"spaceland mark folder:{base}/scenes --scene {scene_id} --out {base}/marked/{scene_id} --frames 4",
        f"spaceland score sparbench --rows {rows} --baseline frequency --json {base}/scores/frequency.json",
    ]
    return Section(
        title="Commands and next steps",
        text=["The same by hand, one verb at a time:"],
        code="\n".join(commands)
        + "\n\n# your own data\n"
        + "spaceland check scannet:/data/scans\n"
        + "spaceland generate scannet:/data/scans --out out/scans --dry-run\n"
        + f"spaceland score sparbench --rows {rows} --predictions my-model.jsonl",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
