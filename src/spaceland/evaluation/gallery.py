"""A gallery of failures as one HTML page: what was shown, asked and expected, what every model said, and where it is.

    write_gallery(results, rows, Path("videos"), Path("out/failures.html"))

Rows that some model gets wrong, those first on which the results disagree. Pictures are those of the row, or the frames
that were shown. Rows of ours carry geometry and get a plan; rows about boxes get their boxes from above. Questions,
replies and names come from outside and go through `tag`, which escapes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.known import ScoreError, benchmark_module
from spaceland.benchmarks.score import prepare_rows
from spaceland.benchmarks.types import Benchmark, Row
from spaceland.chat.pictures import decode_picture
from spaceland.errors import SpacelandError
from spaceland.evaluation.compare import RIGHT
from spaceland.evaluation.frames import policy_of
from spaceland.evaluation.loaded import Loaded
from spaceland.evaluation.media import Media, MediaFinder, load_media
from spaceland.files import encode_jpeg, read_json, write_text
from spaceland.version import __version__
from spaceland.viewer.html import Child, Html, join, number, page, table, tag

_TILE_PX = 200
_PICTURE_PX = 480
_GAP_PX = 2
_MOST_FRAMES = 16
_MOST_TEXT = 4000
_NUMBER = re.compile(r"-?\d{1,6}(?:\.\d{1,9})?")
_LIST = re.compile(r"\[([^\[\]]*)\]")
_ANSWERS = ("ground_truth", "answer", "answers", "gt_answer", "Answer", "target")


def write_gallery(
    results: Sequence[Loaded], rows: Sequence[Row], media: Path, path: Path, *, most: int = 40, task: str | None = None
) -> int:
    """Write the page; the number of rows on it.

    Args:
        results: Of one benchmark.
        rows: The rows they are about, as they were read.
        media: Folder of videos and pictures.
        path: The page.
        most: So many rows at most, spread over the tasks.
        task: Rows of this task only.

    Raises:
        ScoreError: the rows are not those of the results, or nothing failed.
        OutputError: the page cannot be written.
    """
    first = results[0]
    benchmark: Benchmark = benchmark_module(first.benchmark).BENCHMARK
    adapted = prepare_rows(benchmark, rows)
    given = dict(zip(adapted, rows, strict=True))
    chosen = _choose(results, adapted, most, task)
    policy = policy_of(benchmark_module(first.benchmark), first.protocol)
    shown = first.about.get("frames") or {}
    pictures = _Pictures(MediaFinder(media), policy, {str(k): v for k, v in (shown.get("indices") or {}).items()})
    scenes = _scenes(media)
    cards = [_card(benchmark, row_id, given[row_id], adapted[row_id], results, pictures, scenes) for row_id in chosen]
    names = ", ".join(result.name for result in results)
    title = f"Failures on {benchmark.title}"
    head: list[Child] = [
        tag("div", "spaceland", class_="brand"),
        tag("h1", title),
        tag("p", f"{names}; scored by {first.benchmark}@{first.protocol}. {len(cards)} rows."),
    ]
    body = join(
        tag("header", tag("div", tag("div", head), class_="wrap"), class_="hero"),
        tag("main", cards, class_="wrap"),
        tag("footer", f"Made by spaceland {__version__}.", class_="wrap"),
    )
    write_text(path, page(title, body))
    return len(cards)


def _choose(results: Sequence[Loaded], rows: Mapping[str, Row], most: int, task: str | None) -> list[str]:
    """Ids of failures: largest disagreement, then lowest score first; tasks take turns."""
    first = results[0]
    unknown = sorted(set(first.samples) - rows.keys())
    if unknown:
        raise ScoreError(f"the results have {len(unknown)} rows that the file has not, the first is '{unknown[0]}'")
    ranked: dict[str, list[tuple[float, float, str]]] = {}
    for row_id, sample in first.samples.items():
        scores = [result.samples[row_id].score for result in results if row_id in result.samples]
        if min(scores) < RIGHT and (task is None or sample.task == task):
            ranked.setdefault(sample.task, []).append((min(scores) - max(scores), min(scores), row_id))
    if not ranked:
        raise ScoreError(f"no row {f'of the task {task} ' if task else ''}scores below {RIGHT}; nothing to show")
    queues = [sorted(ranked[name]) for name in sorted(ranked)]
    turns = [queue[k][2] for k in range(max(map(len, queues))) for queue in queues if k < len(queue)]
    return turns[:most]


class _Pictures:
    """Figures for the page; frames of a video are decoded once."""

    def __init__(self, finder: MediaFinder, policy: FramePolicy, indices: Mapping[str, Sequence[int]]) -> None:
        self._finder, self._policy, self._indices = finder, policy, indices
        self._sheets: dict[str, Html] = {}

    def of(self, row: Row, adapted: Row) -> Html:
        """Pictures of a row, or why there are none."""
        try:
            media = self._finder.find(row, adapted)
            if media.kind == "pictures" and len(media.sources) <= 3:
                return self._singles(media)
            if media.name not in self._sheets or media.kind == "pictures":
                self._sheets[media.name] = self._sheet(media)
            return self._sheets[media.name]
        except (SpacelandError, OSError, ValueError) as problem:
            # A page may be sent on; where the folder lies on this machine is nobody's business.
            text = str(problem).replace(str(self._finder.folder), "the media folder")
            return tag("div", f"no picture: {text}", class_="missing")

    def _singles(self, media: Media) -> Html:
        pictures, _ = load_media(media, FramePolicy(rule="all", long_side_px=_PICTURE_PX))
        figures = []
        for index, picture in enumerate(pictures):
            source = f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"
            image = tag("img", src=source, width=picture.width, height=picture.height, alt=f"image {index + 1}")
            figures.append(tag("figure", tag("div", image, class_="frame")))
        return tag("div", figures, class_="pictures pair" if len(figures) > 1 else "pictures")

    def _sheet(self, media: Media) -> Html:
        policy = FramePolicy(num=_MOST_FRAMES, rule="evenly", long_side_px=_TILE_PX)
        pictures, indices = load_media(media, policy)
        pictures, indices = pictures[:_MOST_FRAMES], indices[:_MOST_FRAMES]
        sheet = _tiled([decode_picture(picture) for picture in pictures])
        source = "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(sheet, 80)).decode()
        image = tag("img", src=source, width=sheet.shape[1], height=sheet.shape[0], alt=f"{len(pictures)} frames")
        seen = self._indices.get(media.name)
        note = f"frames {', '.join(map(str, indices))}" + (f"; the model was shown {len(seen)}" if seen else "")
        figure = tag("figure", tag("div", image, class_="frame"), tag("figcaption", note))
        return tag("div", figure, class_="pictures")


def _tiled(pictures: Sequence[Image.Image], columns: int = 4) -> np.ndarray:
    """Pictures in reading order on white, each in a tile of the first one's size."""
    width, height = pictures[0].size
    columns = min(columns, len(pictures))
    pitch_x, pitch_y = width + _GAP_PX, height + _GAP_PX
    sheet = Image.new("RGB", (columns * pitch_x, -(-len(pictures) // columns) * pitch_y), (255, 255, 255))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        picture.thumbnail((width, height))
        sheet.paste(picture, (column * pitch_x, row * pitch_y))
    return np.array(sheet)


def _card(
    benchmark: Benchmark,
    row_id: str,
    row: Row,
    adapted: Row,
    results: Sequence[Loaded],
    pictures: _Pictures,
    scenes: Mapping[str, Any],
) -> Html:
    plan = _plan(row, adapted, results, row_id, scenes)
    said: list[list[Child]] = []
    for result in results:
        sample = result.samples.get(row_id)
        if sample is not None:
            words = _shortened(sample.prediction) if sample.prediction is not None else "(no reply)"
            said.append([result.name, tag("div", words, class_="question"), f"{sample.score:.2f}"])
    words = tag(
        "div",
        tag("p", _shortened(str(adapted.get("question") or adapted.get("description") or "")), class_="question"),
        _options(adapted),
        tag("p", "expected: ", tag("b", _shortened(expected_answer(benchmark, adapted))), class_="answer"),
        table(["model", "reply", "score"], said),
        class_="words",
    )
    return tag(
        "article",
        tag("header", tag("span", benchmark.task_of(adapted), class_="pill"), tag("span", row_id, class_="mono")),
        pictures.of(row, adapted),
        words,
        tag("figure", plan, class_="plan") if plan else None,
        class_="card many",
    )


def expected_answer(benchmark: Benchmark, row: Row) -> str:
    """The answer of a row in words: as the oracle replies, else whatever field holds it."""
    gold = getattr(benchmark.baseline, "gold", None)
    if gold is not None:
        return str(gold(row))
    value = next((row[key] for key in _ANSWERS if row.get(key) is not None), "")
    if isinstance(value, list | tuple):
        return "; ".join(str(one.get("answer", one) if isinstance(one, Mapping) else one) for one in value)
    return str(value)


def _options(row: Row) -> Html | None:
    options = row.get("options") or row.get("choices")
    if not isinstance(options, list | tuple) or not options:
        return None
    question = str(row.get("question") or "")
    if all(str(option) in question for option in options):
        return None
    return tag("ul", [tag("li", _shortened(str(option))) for option in options], class_="options")


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} ... ({len(text)} characters)"


def _scenes(folder: Path) -> Mapping[str, Any]:
    """Rooms of a dataset of ours, which info.json beside the rows describes."""
    try:
        info = read_json(folder / "info.json") if (folder / "info.json").exists() else {}
    except SpacelandError:
        return {}
    scenes = info.get("scenes") if isinstance(info, dict) else None
    return scenes if isinstance(scenes, dict) else {}


def _plan(row: Row, adapted: Row, results: Sequence[Loaded], row_id: str, scenes: Mapping[str, Any]) -> Html | None:
    """What is known in 3D, from above."""
    if isinstance(row.get("facts"), Mapping):
        from spaceland.viewer.topview import top_view

        scene = scenes.get(str(row.get("scene")))
        try:
            view = top_view(row, scene if isinstance(scene, Mapping) else {})
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return join(view, tag("figcaption", "from above, 1 m squares")) if view else None
    truths = adapted.get("gt_bboxes") or ([adapted["gt_bbox"]] if adapted.get("gt_bbox") else [])
    boxes = [("expected", box[:6]) for box in truths if _is_box(box)]
    if not boxes:
        return None
    for result in results:
        sample = result.samples.get(row_id)
        said = (sample.prediction or "")[:500] if sample else ""
        list_in_it = _LIST.search(said)
        found = [float(text) for text in _NUMBER.findall(list_in_it[1] if list_in_it else said)]
        # Six numbers are a box in the room's frame; other replies name proposals, pixels or a camera's frame.
        if len(found) == 6 and result.protocol in ("official", "strict"):
            boxes.append((result.name, found))
    return _boxes_from_above(boxes)


def _is_box(box: Any) -> bool:
    return isinstance(box, list | tuple) and len(box) >= 6 and all(isinstance(v, int | float) for v in box[:6])


def _boxes_from_above(boxes: Sequence[tuple[str, Sequence[float]]]) -> Html:
    """Footprints of boxes (centre, size); x to the right, y up. The first kind is what is expected."""
    low_x, high_x = min(b[0] - b[3] / 2 for _, b in boxes), max(b[0] + b[3] / 2 for _, b in boxes)
    low_y, high_y = min(b[1] - b[4] / 2 for _, b in boxes), max(b[1] + b[4] / 2 for _, b in boxes)
    scale = 280 / max(high_x - low_x, high_y - low_y, 0.1)
    parts, lines = [], []
    for name, box in boxes:
        x, y = 20 + (box[0] - box[3] / 2 - low_x) * scale, 20 + (high_y - box[1] - box[4] / 2) * scale
        kind = "k-green" if name == "expected" else "k-red"
        shape = tag(
            "rect", tag("title", name), x=x, y=y, width=abs(box[3]) * scale, height=abs(box[4]) * scale, class_="p-fact"
        )
        parts.append(tag("g", shape, class_=kind))
        center, size = (", ".join(number(v) for v in part) for part in (box[:3], box[3:6]))
        lines.append(tag("li", f"{name}: centre {center} m, size {size} m"))
    height = 40 + (high_y - low_y) * scale
    view = {"viewBox": f"0 0 320 {number(height)}", "role": "img", "aria-label": "boxes from above"}
    return join(
        tag("svg", parts, attributes=view), tag("figcaption", "from above; green is expected"), tag("ul", lines)
    )
