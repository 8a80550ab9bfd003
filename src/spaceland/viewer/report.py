"""The report: a dataset folder as one HTML page that needs nothing but a browser.

    write_report(Path("out/rooms"), Path("out/rooms/report.html"))

A header says what was made from what; then come counts, answers, labels and rejections; then samples of every task,
each with its pictures, question, options, answer, a plan and the numbers behind it. Same dataset, same seed,
same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.datasets.rows import read_rows
from spaceland.errors import SceneError
from spaceland.files import read_json, write_text
from spaceland.questions.tasks import TASKS
from spaceland.version import __version__
from spaceland.viewer.cards import Gallery, card
from spaceland.viewer.html import Html, join, page, tag
from spaceland.viewer.plan import read_things
from spaceland.viewer.rejections import rejections_section
from spaceland.viewer.statistics import (
    answers_section,
    counts_section,
    labels_section,
    task_note,
)
from spaceland.viewer.style import SCRIPT
from spaceland.viewer.summary import Summary, format_place, summarise
from spaceland.viewer.topview import floor_plan

_MAX_PLANS = 12


@dataclass(frozen=True)
class ReportResult:
    """What was written. `problems` maps a row id or a picture to why it could not be shown."""

    path: Path
    num_rows: int
    num_samples: int
    num_bytes: int
    problems: dict[str, str]


def write_report(
    folder: str | Path, out: str | Path | None = None, *, per_task: int = 8, seed: int = 0
) -> ReportResult:
    """Write the page of a dataset folder.

    Args:
        folder: What `spaceland generate` wrote.
        out: The page; by default report.html in the folder.
        per_task: Samples of each task.
        seed: Another seed shows other samples.

    Raises:
        SceneError: rows.jsonl is missing or broken.
        OutputError: the page cannot be written.
    """
    folder = Path(folder)
    out = Path(out) if out else folder / "report.html"
    html, summary, problems = build_report(folder, per_task=per_task, seed=seed)
    write_text(out, html)
    samples = sum(map(len, summary.samples.values()))
    return ReportResult(out, summary.rows, samples, len(html.encode()), problems)


def build_report(folder: Path, *, per_task: int = 8, seed: int = 0) -> tuple[str, Summary, dict[str, str]]:
    """The page as text, what was counted, and what could not be shown."""
    summary = summarise(read_rows(folder / "rows.jsonl"), per_task=per_task, seed=seed)
    if not summary.rows:
        raise SceneError(f"{folder / 'rows.jsonl'} holds no rows; generate with a larger --per-scene or other sources")
    info = read_json(folder / "info.json") if (folder / "info.json").exists() else {}
    if not isinstance(info, dict):
        raise SceneError(f"{folder / 'info.json'} should hold a JSON object; generate the dataset again")
    summary.tasks = {name: summary.tasks[name] for name in sorted(summary.tasks, key=_task_place)}
    gallery = Gallery(folder)
    scenes = _mapping(info, "scenes")
    samples = _samples(summary, scenes, gallery)
    sources = _texts(info, "sources") or "unknown sources"
    title = f"Spatial questions from {sources}"
    body = join(
        _header(title, summary, info, scenes),
        _navigation(summary),
        tag(
            "main",
            counts_section(summary),
            answers_section(summary),
            labels_section(summary),
            rejections_section(info, folder),
            samples,
            _settings(info),
            tag(
                "footer",
                f"Made by spaceland {__version__}. Answers come from geometry; `spaceland verify` derives them anew.",
            ),
            class_="wrap",
        ),
        gallery.definitions(),
    )
    return page(title, body, script=SCRIPT), summary, gallery.problems


def _texts(info: Mapping[str, Any], key: str) -> str:
    """The entries of a list as one text; empty when there is no such list."""
    value = info.get(key)
    return ", ".join(map(str, value)) if isinstance(value, list) else ""


def _mapping(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An entry that should be a JSON object; empty when it is missing or something else."""
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}


def _task_place(task: str) -> tuple[int, str]:
    names = list(TASKS)
    return (names.index(task) if task in names else len(names), task)


def _header(title: str, summary: Summary, info: Mapping[str, Any], scenes: Mapping[str, Any]) -> Html:
    stats = {
        "questions": summary.rows,
        "facts behind them": sum(task.facts for task in summary.tasks.values()),
        "tasks": len(summary.tasks),
        "scenes": len(summary.scenes),
        "images": summary.images,
    }
    config = _mapping(info, "config")
    meta = {
        "version": info.get("version"),
        "sources": _texts(info, "sources"),
        "seed": config.get("seed", ", ".join(sorted(summary.seeds))),
        "facts of each task in a scene": config.get("per_scene"),
        "scenes left out": _texts(info, "failed_scenes"),
        "rows.jsonl (SHA-256)": info.get("rows_sha256"),
    }
    plans = []
    for name in list(summary.scenes)[:_MAX_PLANS]:
        scene = _mapping(scenes, name)
        if plan := floor_plan(scene):
            things = len(read_things(scene))
            plans.append(
                tag("figure", plan, tag("figcaption", f"{name}: {things} objects, {summary.scenes[name]} rows"))
            )
    more = len(summary.scenes) - _MAX_PLANS
    facts = [
        (tag("dt", name), tag("dd", str(value), class_="mono" if "SHA" in name else None))
        for name, value in meta.items()
        if value not in (None, "")
    ]
    words = tag(
        "div",
        tag("div", "spaceland dataset", class_="brand"),
        tag("h1", title),
        tag("dl", [tag("div", tag("dt", name), tag("dd", f"{n:,}")) for name, n in stats.items()], class_="stats"),
        tag("dl", facts, class_="meta"),
    )
    rooms = tag("div", plans, tag("p", f"and {more} more", class_="soft small") if more > 0 else None, class_="rooms")
    return tag("header", tag("div", words, rooms if plans else None, class_="wrap"), class_="hero")


def _navigation(summary: Summary) -> Html:
    links = {
        "counts": "Counts",
        "answers": "Answers",
        "labels": "Labels",
        "rejections": "Rejections",
        "samples": "Samples",
    }
    names = {f"task-{task}": task for task in summary.tasks}
    anchors = [tag("a", text, href=f"#{name}") for name, text in {**links, "settings": "Settings"}.items()]
    tasks = [tag("a", text, href=f"#{name}", class_="mono") for name, text in names.items()]
    return tag("nav", tag("div", anchors, tasks, class_="wrap"))


def _samples(summary: Summary, scenes: Mapping[str, Any], gallery: Gallery) -> Html:
    sections = []
    for name in summary.tasks:
        cards = []
        for row in summary.samples[name]:
            cards.append(card(row, _mapping(scenes, row["scene"]), gallery))
        heading = tag("h3", tag("span", name, class_="mono"), id=f"task-{name}")
        sections.append(tag("section", heading, tag("p", task_note(name), class_="soft"), cards, class_="task"))
    formats = sorted({row["format"] for rows in summary.samples.values() for row in rows}, key=format_place)
    controls = tag(
        "div",
        tag("label", "Task", _select("f-task", "all tasks", list(summary.tasks))),
        tag("label", "Format", _select("f-format", "all formats", formats)),
        tag("label", tag("input", attributes={"type": "checkbox"}, id="f-quiz"), "Hide answers"),
        tag("span", id="f-shown", class_="soft"),
        class_="filter",
        id="filter",
        hidden=True,
    )
    problems = [f"{name}: {problem}" for name, problem in gallery.problems.items()]
    note = tag("details", tag("summary", f"{len(problems)} things could not be shown"), tag("pre", "\n".join(problems)))
    intro = tag(
        "p",
        "Marks are drawn on the pictures from the row. The plan shows the room from above: objects of the question in "
        "the colours of their marks, what the camera sees as a wedge. White boxes and rings belong to the answer.",
        class_="soft",
    )
    return tag("section", tag("h2", "Samples"), intro, note if problems else None, controls, sections, id="samples")


def _select(name: str, everything: str, values: list[str]) -> Html:
    options = [tag("option", everything, value=""), *(tag("option", value, value=value) for value in values)]
    return tag("select", options, id=name)


def _settings(info: Mapping[str, Any]) -> Html:
    config = info.get("config") or {}
    text = json.dumps(config, indent=1, ensure_ascii=False)
    return tag(
        "section",
        tag("h2", "Settings"),
        tag(
            "p",
            "Everything that decided what was asked. The same version and settings give the same bytes.",
            class_="soft",
        ),
        tag("details", tag("summary", "Settings as JSON"), tag("pre", text)),
        id="settings",
    )
