"""ScanRefer: find the one object that a description means, in a scanned room.

Rows are those of ScanRefer_filtered_val.json (scene_id, object_id, object_name, ann_id, description, token) with the
ground truth box `gt_bbox` (centre, size; nine numbers with angles 0 in VG LLM's rows), which has to come from ScanNet's
annotation, as a field or in a side file (`box_rows`). The figure is the share of descriptions whose box overlaps the
truth by at least 0.25 (`overall`) and 0.5, for all, and for objects that are unique or one of multiple in their class.

Worked example. The truth is a cube of 1 m at the origin. "[0.5, 0, 0, 1, 1, 1]" overlaps it by a third: right at 0.25,
wrong at 0.5. Exactly one half, "[0, 0, 0, 1, 1, 0.5]", is right at 0.5 under `strict`, but wrong under `official`,
which adds 1e-8 to the union.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from spaceland.benchmarks import scanrefer_read as read
from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.box_overlap import aligned_iou
from spaceland.benchmarks.box_rows import (
    SIDE_FILES,
    box_problem,
    class_notes,
    fact,
    named_object,
    object_of,
    proposals_of,
    scene_of,
    with_side_files,
)
from spaceland.benchmarks.frames import MARKED, PLAIN, FramePolicy
from spaceland.benchmarks.label_map import OTHERS_18
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

THRESHOLDS = (0.25, 0.5)
_TASK = "grounding"
_OFFICIAL_CLASSES = ("class_18", "unique_multiple", "eval_type")
_ID_CLASSES = ("eval_type", "class_20", "unique_multiple")
_STRICT_CLASSES = ("class_20", "eval_type", "unique_multiple")

_VG_LLM = (
    "Localize the first clear frame in the video showing the object described in the text.\n"
    "Text: {description}\n"
    'Output a JSON dictionary with the frame index in "frame" and its 3D bounding box in "bbox_3d" in the frame\'s '
    "coordinates.\n"
)
_PROPOSAL = 'Share the ID of the object that best fits the description "{description}".'
_WORLD_BOX = (
    'Where in the room is the object of this description: "{description}"? Answer with its axis-aligned box as '
    "[x, y, z, size_x, size_y, size_z]: centre and size in metres."
)
_PIXEL_BOX = (
    'Find the object of this description in the video: "{description}". Answer as '
    "Frame-<number>,(<x>,<y>),<depth>,(<width>,<height>,<length>): a frame that shows it (Frame-1 is the first), the "
    "place of its centre from 0 to 1000 across and down, its depth and its sizes in metres."
)
PROMPTS: Mapping[str, str] = {
    "official": _WORLD_BOX,
    "chat-scene": _PROPOSAL,
    "gpt4scene": _PROPOSAL,
    "chat-scene-location": 'According to the given description, "{description}," please provide the location of the '
    "object that closely matches this description.",
    "vg-llm": _VG_LLM,
    "vg-llm-refined": _VG_LLM,
    "vg-llm-2511": _VG_LLM,
    "vg-llm-2511-refined": _VG_LLM,
    "spar": _PIXEL_BOX,
    "spar-refined": _PIXEL_BOX,
    "strict": _WORLD_BOX,
}
"""Texts by protocol. Those of `official`, `spar` and `strict` are ours: nothing official exists in words."""
_VG_LLM_FRAMES = FramePolicy(
    label="Frame-{index}: ",
    published="num_frames 32 (24 in some runs), rule the row's images, in order, before_each Frame-{index}: , first 0",
)
_SPAR_FRAMES = FramePolicy(first=1, published="num_frames 32, rule the row's images, in order, first 1")
FRAMES: dict[str, FramePolicy] = {
    "official": PLAIN,
    "chat-scene": MARKED,
    "gpt4scene": MARKED,
    **dict.fromkeys(("vg-llm", "vg-llm-refined", "vg-llm-2511", "vg-llm-2511-refined"), _VG_LLM_FRAMES),
    **dict.fromkeys(("spar", "spar-refined"), _SPAR_FRAMES),
}
"""How many frames a protocol shows, and how. Chat-Scene sees features of proposals, which have no place in a picture: a
model of pictures is shown GPT4Scene's marks instead. `strict` asks as `official` does."""


def prompt(row: Row, protocol_name: str) -> str:
    """The text of a row's question. A released row that has a `prompt` of its own (VG LLM, Chat-Scene) keeps it.

    Raises:
        KeyError: there is no such protocol.
    """
    template = PROMPTS[protocol_name]
    if row.get("prompt") and template in (_VG_LLM, _PROPOSAL):
        return str(row["prompt"])
    description = str(row["description"])
    if template == _VG_LLM:
        return template.replace("{description}", description.capitalize())
    return template.replace("{description}", bare_description(description))


def bare_description(description: str) -> str:
    """Without one final punctuation mark, as Chat-Scene puts it between quotes."""
    return description[:-1] if description[-1:] and description[-1] in string.punctuation else description


def row_id(row: Row) -> str:
    """The row's own `id`, else scene, object and annotation: "scene0011_00|7|0"."""
    if row.get("id") is not None:
        return str(row["id"])
    return f"{scene_of(row)}|{object_of(row)}|{row.get('ann_id')}"


def adapt(row: Row) -> Row:
    """Rows of VG LLM in ScanRefer's field names, with what their `metadata` says about the scene's other objects."""
    named = named_object(row)
    if named is not row and row["metadata"].get("question_type") in ("unique", "multiple"):
        return {**named, "eval_type": row["metadata"]["question_type"]}
    return named


def problem_of(row: Row) -> str | None:
    """What is wrong with a row, in words."""
    if row.get("id") is None and (scene_of(row) is None or object_of(row) is None or row.get("ann_id") is None):
        return "has neither an id nor scene_id, object_id and ann_id"
    if row.get("gt_bbox") is None:
        return "has no gt_bbox; give the ground truth boxes in a side file ('extra') or as fields of the rows"
    problem = box_problem(row["gt_bbox"], 6, 9)
    return f"has a gt_bbox that {problem}" if problem else None


def oracle(row: Row) -> str:
    """The ground truth box as a reply and, where there are proposals, the one that overlaps it most."""
    truth = [float(value) for value in row["gt_bbox"][:6]]
    if fact(row, "proposals") is None:
        return json.dumps(truth)
    best = int(aligned_iou(np.array([truth]), proposals_of(row, row_id(row), "oracle"))[0].argmax())
    return f"{json.dumps(truth)} <OBJ{best:03}>"


def is_multiple(rows: Sequence[Row], sources: Sequence[str]) -> list[bool | None]:
    """Whether each row's object shares its class with another annotated object of its scene; None where unknown.

    sources: where to look, best first: a class of each row ("class_18", "class_20"), or what a row already says
    ("unique_multiple": 0 or 1, "eval_type": "unique" or "multiple").
    """
    known: list[bool | None] = [None] * len(rows)
    for source in reversed(sources):
        if source.startswith("class"):
            found = _shared_classes(rows, source)
        elif source == "unique_multiple":
            found = [row[source] == 1 if row.get(source) in (0, 1) else None for row in rows]
        else:
            found = [row[source] == "multiple" if row.get(source) in ("unique", "multiple") else None for row in rows]
        known = [old if new is None else new for old, new in zip(known, found, strict=True)]
    return known


def _shared_classes(rows: Sequence[Row], source: str) -> list[bool | None]:
    """By counting every annotated object once, with the class of its first row; each row then asks for its own."""
    first: dict[tuple[str | None, str | None], object] = {}
    for row in rows:
        if row.get(source) is not None:
            first.setdefault((scene_of(row), object_of(row)), row[source])
    counts: dict[tuple[str | None, object], int] = {}
    for (scene, _), kind in first.items():
        counts[scene, kind] = counts.get((scene, kind), 0) + 1
    return [None if row.get(source) is None else counts.get((scene_of(row), row[source]), 0) != 1 for row in rows]


def _score(locate: read.Locate, sources: Sequence[str]) -> Callable[[Sequence[Row], Sequence[Reply]], list[RowScore]]:
    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        ids = [row_id(row) for row in rows]
        found = []
        for row, iou, multiple in zip(rows, locate(rows, ids, replies), is_multiple(rows, sources), strict=True):
            metrics: dict[str, float | None] = {"iou": float(iou)}
            metrics |= {f"acc@{t}": float(iou >= t) for t in THRESHOLDS}
            metrics["multiple"] = None if multiple is None else float(multiple)
            others = row.get("class_18")
            metrics["in_others"] = None if others is None else float(others == OTHERS_18)
            found.append(RowScore(float(iou >= THRESHOLDS[0]), metrics))
        return found

    return score


def _summarise(empty: float | None, with_others: bool) -> Callable[[Sequence[Row], Sequence[RowScore]], Summary]:
    """Accuracies in percent; `empty` is what a part without rows gets."""

    def summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
        if not scores:
            return Summary(None)
        hits = {t: np.array([score.metrics[f"acc@{t}"] for score in scores], dtype=float) for t in THRESHOLDS}
        multiple = _column(scores, "multiple")
        others = _column(scores, "in_others")
        everything = np.ones(len(scores), dtype=bool)
        parts = {"": everything}
        if not np.isnan(multiple).all():
            parts |= {"unique ": multiple == 0, "multiple ": multiple == 1}
        if with_others and not np.isnan(others).all():
            by_kind = {"not_in_others ": others == 0, "in_others ": others == 1}
            parts |= {name + kind: inside & mask for name, inside in parts.items() for kind, mask in by_kind.items()}
        groups = {
            f"{name}acc@{t}": 100 * float(hits[t][inside].mean()) if inside.any() else empty
            for name, inside in parts.items()
            for t in THRESHOLDS
        }
        overall = groups["acc@0.25"]
        return Summary(overall, {_TASK: overall}, groups)

    return summarise


def _column(scores: Sequence[RowScore], name: str) -> np.ndarray:
    values = [score.metrics.get(name) for score in scores]
    return np.array([np.nan if value is None else value for value in values])


def complete(rows: Sequence[Row], files: Mapping[str, Path]) -> list[Row]:
    """Rows with what side files hold: "extra" (boxes, proposals, cameras by scene) and "labels"; see `box_rows`."""
    return with_side_files([adapt(row) for row in rows], files)


_SMALL_UNION = {"eps-in-union": "1e-8 is added to the union: an overlap of exactly 0.25 or 0.5 falls short"}
_CHOICE = {
    "default-proposal": "a reply that names no proposal means proposal 0",
    "first-valid-id": "ids that are no proposals are passed over, the first that is one counts, later ones do not",
    **_SMALL_UNION,
}
_REFRIGERATOR = {"refridgerator": "refrigerators count as 'others': the table of labels spells their class differently"}
_FRAME_BOX = {
    "first-line": 'only the first line with "bbox_3d" is read; a list over several lines scores 0',
    "python-notation": "a line is a Python literal: true and null are none, single quotes and trailing commas are fine",
    "true-is-a-frame": "True is frame 1 and False frame 0",
    "thin-box": "a box with a face below 2 cm2 overlaps nothing: PyTorch3D refuses it",
    "inside-out": "a negative size is taken for its absolute value",
}
_ANGLES = {
    "mixed-angles": "angles are decoded as turns about fixed axes (zxy), corners are built about the box's (ZXY)"
}
_REFINED = {"proposals-at-test": "the predicted box is replaced by the proposal that overlaps it most (3D input)"}
_PIXELS = {
    "either-way-round": "width and length are tried along x and y; the better overlap counts, as no order is published",
    "no-angles": "the box lies along the axes of the aligned world",
}

BENCHMARK = Benchmark(
    name="scanrefer",
    title="ScanRefer",
    protocols=(
        Protocol(
            "official",
            "ScanRefer's rule on an axis-aligned box in the aligned world (or a proposal) stated in the reply",
            _score(read.by_stated_box, _OFFICIAL_CLASSES),
            _summarise(0.0, True),
            {**_SMALL_UNION, **_REFRIGERATOR, "empty-part": "a part without rows has the accuracy 0"},
        ),
        Protocol(
            "chat-scene",
            "Chat-Scene: <OBJ012> chooses a Mask3D proposal",
            _score(read.by_proposal, _OFFICIAL_CLASSES),
            _summarise(None, False),
            {**_CHOICE, **_REFRIGERATOR},
        ),
        Protocol(
            "gpt4scene",
            "GPT4Scene: the rule of Chat-Scene",
            _score(read.by_proposal, _OFFICIAL_CLASSES),
            _summarise(None, False),
            {**_CHOICE, **_REFRIGERATOR},
        ),
        Protocol(
            "chat-scene-location",
            "Chat-Scene's variant without proposals: six <LOC512> give centre and size in hundredths of a metre",
            _score(read.by_location, _OFFICIAL_CLASSES),
            _summarise(None, False),
            {**_SMALL_UNION, **_REFRIGERATOR, "centimetres": "places and sizes are whole centimetres, -5 m to 4.99 m"},
        ),
        *(
            Protocol(
                name,
                f"VG LLM {when}: frame and nine numbers in its camera{', refined by proposals' if refine else ''}",
                _score(read.by_frame_box(convention, refine), _ID_CLASSES),
                _summarise(None, False),
                {**_FRAME_BOX, **angles, **(_REFINED if refine else {})},
            )
            for name, when, convention, angles, refine in (
                ("vg-llm", "before November 2025", "zxy", _ANGLES, False),
                ("vg-llm-refined", "before November 2025", "zxy", _ANGLES, True),
                ("vg-llm-2511", "since November 2025", "ZXY", {}, False),
                ("vg-llm-2511-refined", "since November 2025", "ZXY", {}, True),
            )
        ),
        Protocol(
            "spar",
            "SPAR's form: frame, place in it, depth and size",
            _score(read.by_pixel_box(False), _ID_CLASSES),
            _summarise(None, False),
            _PIXELS,
        ),
        Protocol(
            "spar-refined",
            "SPAR's form, refined by proposals",
            _score(read.by_pixel_box(True), _ID_CLASSES),
            _summarise(None, False),
            {**_PIXELS, **_REFINED},
        ),
        Protocol(
            "strict",
            "the last box that a reply states, in the world or in a frame, or the one proposal it names; exact overlap",
            _score(read.by_sense, _STRICT_CLASSES),
            _summarise(None, False),
        ),
    ),
    row_id=row_id,
    task_of=lambda row: _TASK,
    problem_of=problem_of,
    expected_rows={"val": 9508},
    adapt=adapt,
    baseline=Baselines(oracle, lambda row: _TASK),
    side_files=SIDE_FILES,
    complete=complete,
    notes=class_notes,
)
