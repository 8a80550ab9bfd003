"""The counting half of a report: rows by task and format, answers, labels."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from spaceland.questions.phrasing import FORMATS, LETTERS
from spaceland.questions.tasks import TASKS
from spaceland.viewer.charts import bars, count_chart, heat_map, histogram
from spaceland.viewer.html import Html, join, table, tag
from spaceland.viewer.summary import Summary, TaskSummary

_UNITS = {"m2": "m\N{SUPERSCRIPT TWO}"}
_MOTION = (("right", "m"), ("up", "m"), ("forward", "m"), ("turn up", "degrees"), ("turn right", "degrees"))
_TOP_LABELS = 20


def task_note(task: str) -> str:
    """What a task asks, from the first line of its module's docstring; empty for unknown tasks.

    >>> task_note("room_size")
    'How large a room is'
    """
    if task not in TASKS:
        return ""
    doc = sys.modules[TASKS[task].propose.__module__].__doc__ or ""
    return doc.strip().partition(" (")[0].partition("\n")[0].rstrip(".")


def counts_section(summary: Summary) -> Html:
    formats = [name for name in FORMATS if any(task.formats[name] for task in summary.tasks.values())]
    formats += sorted({name for task in summary.tasks.values() for name in task.formats} - set(FORMATS))
    rows: list[list[Any]] = [
        [
            join(tag("a", name, href=f"#task-{name}", class_="mono"), tag("div", task_note(name), class_="soft small")),
            *(task.formats[format] or "" for format in formats),
            task.formats.total(),
            task.facts,
        ]
        for name, task in summary.tasks.items()
    ]
    totals = [sum(task.formats[format] for task in summary.tasks.values()) for format in formats]
    rows.append([tag("b", "all"), *totals, summary.rows, sum(task.facts for task in summary.tasks.values())])
    return tag(
        "section",
        tag("h2", "Counts"),
        tag("p", "One fact is asked in every format of its task, so several rows share their numbers.", class_="soft"),
        table(["task", *formats, "rows", "facts"], rows),
        id="counts",
    )


def answers_section(summary: Summary) -> Html:
    panels = [panel for name, task in summary.tasks.items() for panel in _task_panels(name, task)]
    letters = sum((task.letters for task in summary.tasks.values()), start=Counter[str]())
    verdicts = sum((task.verdicts for task in summary.tasks.values()), start=Counter[str]())
    if letters:
        shares = [(letter, letters[letter]) for letter in LETTERS]
        panels.append(
            _panel("Right letters", "all select questions", bars(shares, label_width=40, total=letters.total()))
        )
        if sum(bool(task.letters) for task in summary.tasks.values()) > 1:
            rows = [
                [tag("span", name, class_="mono"), *(task.letters[letter] for letter in LETTERS)]
                for name, task in summary.tasks.items()
                if task.letters
            ]
            panels.append(_panel("Right letters by task", "select questions", table(["task", *LETTERS], rows)))
    if verdicts:
        shares = [(word, verdicts[word]) for word in ("Yes", "No")]
        panels.append(_panel("Verdicts", "judge questions", bars(shares, label_width=40, total=verdicts.total())))
    return tag(
        "section",
        tag("h2", "Answers"),
        tag(
            "p",
            "Values and words are counted once for each fact, letters and verdicts once for each row.",
            class_="soft",
        ),
        tag("div", panels, class_="panels"),
        id="answers",
    )


def _task_panels(name: str, task: TaskSummary) -> list[Html]:
    """The chart of each kind of answer that the task has; mostly one."""
    said = f"{task.facts} answers"
    panels = []
    if task.numbers:
        unit = _UNITS.get(task.unit, task.unit)
        panels.append(_panel(name, f"{said} in {unit}" if unit else said, histogram(task.numbers, unit)))
    if task.counts:
        panels.append(_panel(name, said, count_chart(task.counts)))
    for k, (part, unit) in enumerate(_MOTION if task.motions else ()):
        panels.append(_panel(name, f"{part}, {unit}", histogram([motion[k] for motion in task.motions], unit)))
    if any(map(any, task.heat)):
        panels.append(_panel(name, "where the boxes are in the second image", heat_map(task.heat)))
    words = [(word or "level", count) for slot in task.slots for word, count in _slot_order(slot)]
    if words:
        panels.append(_panel(name, f"words of {said}", bars(words, label_width=70)))
    return panels


def _slot_order(slot: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(slot.items(), key=lambda item: (item[0] == "", item[0]))


def _panel(title: str, note: str, chart: Html) -> Html:
    return tag(
        "div",
        tag("h4", tag("span", title, class_="mono"), tag("br") if title and note else None, note),
        chart,
        class_="panel",
    )


def labels_section(summary: Summary) -> Html:
    """The most frequent labels, each counted once for each fact that names it."""
    # Equal counts in alphabetical order, so that the page does not depend on the order of the rows.
    most = sorted(summary.labels.items(), key=lambda item: (-item[1], item[0]))
    top = most[:_TOP_LABELS]
    half = -(-len(top) // 2)
    parts = (top[:half], top[half:]) if len(top) > 8 else (top,)
    panels = [_panel("", "facts that name it", bars(part)) for part in parts if part]
    note = f"{len(most)} different labels" + (f", the {len(top)} most frequent:" if len(most) > len(top) else ":")
    return tag(
        "section",
        tag("h2", "Labels"),
        tag("p", note, class_="soft"),
        tag("div", panels, class_="panels") if panels else None,
        id="labels",
    )
