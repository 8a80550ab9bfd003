"""Rows of a dataset over a scene: which objects and frames a row is about, and its text as escaped markup.

Rows are read as they are: those made by `spaceland generate` name their objects and frames in `facts`; others still
have their images and marks. Whatever is missing or of another kind is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from spaceland.benchmarks.predictions import read_predictions
from spaceland.datasets.rows import read_rows
from spaceland.errors import SceneError
from spaceland.scenes.scene import Scene
from spaceland.viewer.html import Child, Html, tag

_STYLE = "font:14px/1.5 system-ui,sans-serif;padding:0 .8em .4em;overflow-wrap:anywhere"


@dataclass(frozen=True)
class LiveRow:
    """A row and what it is about in the scene at hand; `prediction` is a model's reply, None without one."""

    row: Mapping[str, Any]
    objects: tuple[int, ...]
    frames: tuple[str, ...]
    prediction: str | None

    @property
    def name(self) -> str:
        """One line for a list."""
        return f"{self.row.get('task', '?')}: {self.row.get('id', '?')}"[:120]


def read_live_rows(dataset: Path, scene: Scene, predictions: Path | None = None, *, most: int = 2000) -> list[LiveRow]:
    """Rows of a dataset folder (or a .jsonl file) about a scene, with predictions where there are some.

    Raises:
        SceneError: the file is missing or broken, or no row is about this scene.
        ScoreError: the predictions are none.
    """
    path = dataset / "rows.jsonl" if dataset.is_dir() else dataset
    replies = read_predictions(predictions) if predictions is not None else {}
    found, others = [], set[str]()
    for row in read_rows(path):
        if row.get("scene") != scene.id:
            others.add(str(row.get("scene")))
        elif len(found) < most:
            found.append(_live(row, scene, replies.get(str(row.get("id")))))
    if not found:
        shown = ", ".join(sorted(others)[:5]) or "none"
        raise SceneError(f"{path} has no rows about scene {scene.id}; it is about: {shown}")
    return found


def _live(row: Mapping[str, Any], scene: Scene, prediction: str | None) -> LiveRow:
    facts = row.get("facts") if isinstance(row.get("facts"), dict) else {}
    assert isinstance(facts, dict)
    objects = [*_numbers(facts.get("objects")), *_numbers([_get(mark, "object_id") for mark in _list(row, "marks")])]
    images = [PurePosixPath(path).stem for path in _list(row, "images") if isinstance(path, str)]
    frames = [frame for frame in _list(facts, "frames") if isinstance(frame, str)]
    return LiveRow(
        row,
        tuple(k for k in dict.fromkeys(objects) if k in scene.objects_by_id),
        tuple(k for k in dict.fromkeys(frames or images) if k in scene.frames_by_id),
        prediction,
    )


def row_card(live: LiveRow) -> Html:
    """Question, options, answer and prediction. Everything from the row is text, whatever it looks like."""
    row = live.row
    lines: list[Child] = [tag("p", str(row.get("question", "")), style="white-space:pre-wrap;margin:.3em 0")]
    lines.append(_line("Answer", str(row.get("answer", ""))))
    if live.prediction is not None:
        lines.append(_line("Prediction", live.prediction[:2000]))
    count = len(live.frames)
    about = [f"{count} frame{'s' * (count != 1)}", f"objects {', '.join(map(str, live.objects)) or 'none'}"]
    lines.append(tag("div", "; ".join(about), style="opacity:.65"))
    return tag("div", lines, style=_STYLE)


def objects_card(scene: Scene, objects: Iterable[int]) -> Html:
    """Boxes of the chosen objects in metres."""
    lines = []
    for k in objects:
        thing = scene.objects_by_id[k]
        size = " x ".join(f"{v:.2f}" for v in thing.box.size)
        center = ", ".join(f"{v:.2f}" for v in thing.box.center)
        lines.append(tag("div", tag("b", f"{k} {thing.label}"), f": {size} m at ({center})"))
    return tag("div", lines, style=_STYLE)


def _line(name: str, text: str) -> Html:
    return tag("div", tag("b", f"{name}: "), tag("span", text, style="white-space:pre-wrap"))


def _list(value: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _numbers(value: Any) -> list[int]:
    """Whole numbers anywhere in a list or mapping of numbers (or of lists of them)."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [number for entry in value for number in _numbers(entry)] if isinstance(value, list) else []
