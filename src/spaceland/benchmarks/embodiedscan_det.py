"""EmbodiedScan detection: all objects of a few video frames as oriented boxes in the first frame's camera.

Rows are VG LLM's (conversations, images, boxes [{label, bbox_3d}], cam2img, cam2global, axis_align_matrix); the nine
numbers are centre, size and turns about z, x and y of the box's own axes (`geometry.box9`, "ZXY"), metres and radians.

Two figures are in use. VG LLM's (`official`, the scorer that came with these rows): a predicted box is a hit where it
overlaps a free true box of its label by more than 0.25; hits, false alarms and misses of a class are summed over all
rows to precision, recall and F1, which are averaged over the classes of three lists. EmbodiedScan's own
(`embodiedscan`): mean AP and recall over all classes.

Worked example. True: two chairs. Predicted: a chair that fits, and a table. Chair: precision 1, recall 1/2, F1 2/3. The
table is a false alarm; the mean F1 of "chair" and "table" is 1/3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.box_rows import asked_words, box_problem
from spaceland.benchmarks.embodiedscan_ap import score_ap, summarise_ap
from spaceland.benchmarks.embodiedscan_read import (
    Detection,
    label_key,
    official_detections,
    overlaps,
    read_all,
    tolerant_detections,
    truths,
)
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.known import ScoreError
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary
from spaceland.files import read_json

CATE8 = ("chair", "cabinet", "table", "bin", "couch", "bed", "bathtub", "toilet")
CATE20 = (
    "chair", "pillow", "cabinet", "table", "lamp", "couch", "desk", "stand", "bed", "backpack", "bathtub", "ottoman",
    "dresser", "bin", "toilet", "refrigerator", "stove", "microwave", "monitor", "computer",
)  # fmt: skip
_MORE = ("window", "shelf", "curtain", "plant", "stairs", "picture", "book", "bottle")
CATE31 = (*CATE20, *_MORE, "lamp", "towl", "sink")
"""As released: "lamp" twice, and "towl", which no true box is called."""
CATE30 = (*CATE20, *_MORE, "towel", "sink")
"""As it was meant: every class once, "towel" spelt right."""
LISTS: Mapping[str, Sequence[str]] = {"cate8": CATE8, "cate20": CATE20, "cate31": CATE31}
_MEANT: Mapping[str, Sequence[str]] = {"cate8": CATE8, "cate20": CATE20, "cate31": CATE30}
THRESHOLD = 0.25
_TASK = "detection"

_PROMPT = (
    "Detect the 3D bounding boxes in the camera coordinate system of the first frame.\n"
    'Output a json list where each entry contains the object name in "label" and its 3D bounding box in "bbox_3d".\n'
    "The 3D bounding box format should be [x_center, y_center, z_center, x_size, y_size, z_size, yaw, roll, pitch]."
)
_CONFIDENCE = '\nAdd how sure you are of each entry, from 0 to 1, in "score".'
PROMPTS: Mapping[str, str] = {
    "official": _PROMPT,
    "vg-llm": _PROMPT,
    "embodiedscan": _PROMPT + _CONFIDENCE,
    "strict": _PROMPT,
}
"""Texts by protocol; the sentence about confidence is ours."""
FRAMES: dict[str, FramePolicy] = {
    "vg-llm": FramePolicy(
        rule="all", published="num_frames (4, 6), rule the row's images, in order: consecutive frames at one a second"
    )
}


@dataclass(frozen=True)
class CountedScore(RowScore):
    """A row's hits, false alarms and misses by label."""

    counts: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


def prompt(row: Row, protocol_name: str) -> str:
    """The text of a row's question: its conversation without the places of images, as VG LLM's evaluation asks it.

    Raises:
        KeyError: there is no such protocol.
    """
    text = PROMPTS[protocol_name]
    asked = asked_words(row)
    if asked is not None:
        return asked + text[len(_PROMPT) :]
    return "\n" * len(row.get("images") or ()) + text


def score_official(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
    """VG LLM: in the order written, each box takes the free true box of its label that it overlaps most."""
    true = [truths(row) for row in rows]
    predicted = read_all(replies, official_detections)
    scores: list[RowScore] = []
    for reply, found, real, iou in zip(
        replies, predicted, true, overlaps(predicted, true, thin_is_zero=True), strict=True
    ):
        free = np.ones(len(real), dtype=bool)
        hits = []
        for index in range(len(found)):
            values = np.where(free, iou[index], 0.0)
            hit = bool(len(real) and values.max() > THRESHOLD)
            if hit:
                free[values.argmax()] = False
            hits.append(hit)
        scores.append(_counted(reply, found, real, hits))
    return scores


def score_strict(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
    """Replies read as JSON, labels without regard to case, as many hits as any pairing has, 0.25 itself included."""
    true = [_with_keys(truths(row)) for row in rows]
    predicted = [_with_keys(found) for found in read_all(replies, tolerant_detections)]
    scores: list[RowScore] = []
    for reply, found, real, iou in zip(
        replies, predicted, true, overlaps(predicted, true, thin_is_zero=False), strict=True
    ):
        allowed = iou >= THRESHOLD
        first, second = linear_sum_assignment(allowed, maximize=True)
        taken = {int(i) for i, j in zip(first, second, strict=True) if allowed[i, j]}
        scores.append(_counted(reply, found, real, [index in taken for index in range(len(found))]))
    return scores


def _with_keys(detections: Sequence[Detection]) -> list[Detection]:
    return [replace(one, label=label_key(one.label)) for one in detections]


def _counted(reply: Reply, found: Sequence[Detection], real: Sequence[Detection], hits: Sequence[bool]) -> RowScore:
    """Counts by label; the row's own score is F1 over all labels (1 where nothing is there and nothing was found)."""
    counts: dict[str, list[int]] = {}
    for one, hit in zip(found, hits, strict=True):
        counts.setdefault(one.label, [0, 0, 0])[0 if hit else 1] += 1
    for one in real:
        counts.setdefault(one.label, [0, 0, 0])[2] += 1
    by_label = {label: (hit, false, missed - hit) for label, (hit, false, missed) in counts.items()}
    total, num_hits = len(found) + len(real), sum(hits)
    f1 = 2 * num_hits / total if total else float(reply is not None)
    metrics = {"hits": float(num_hits), "predicted": float(len(found)), "true": float(len(real))}
    return CountedScore(f1, metrics, by_label)


def precision_recall_f1(hits: int, false: int, missed: int) -> tuple[float, float, float]:
    """0 where there is nothing to divide by."""
    precision = hits / (hits + false) if hits + false else 0.0
    recall = hits / (hits + missed) if hits + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1


def _summed(scores: Sequence[RowScore]) -> dict[str, tuple[int, int, int]]:
    totals: dict[str, list[int]] = {}
    for score in scores:
        if isinstance(score, CountedScore):
            for label, counts in score.counts.items():
                total = totals.setdefault(label, [0, 0, 0])
                for place, count in enumerate(counts):
                    total[place] += count
    return {label: (hits, false, missed) for label, (hits, false, missed) in totals.items()}


def summarise_official(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    """Unweighted means over the released lists, classes without any box at 0; `overall` is F1 over cate31."""
    return _lists(_summed(scores), LISTS, present_only=False) if scores else Summary(None)


def summarise_strict(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    """Unweighted means over the classes of the lists as they were meant that have a true box."""
    return _lists(_summed(scores), _MEANT, present_only=True) if scores else Summary(None)


def _lists(
    totals: Mapping[str, tuple[int, int, int]], lists: Mapping[str, Sequence[str]], *, present_only: bool
) -> Summary:
    groups: dict[str, float | None] = {}
    for name, labels in lists.items():
        counts = [totals.get(label, (0, 0, 0)) for label in labels]
        kept = [precision_recall_f1(*count) for count in counts if not present_only or count[0] + count[2]]
        means = [100 * float(value) for value in np.mean(kept, axis=0)] if kept else [None] * 3
        groups |= {f"{name} {part}": value for part, value in zip(("precision", "recall", "F1"), means, strict=True)}
    overall = groups["cate31 F1"]
    per_class = dict.fromkeys(lists["cate31"])
    groups |= {f"{label} F1": 100 * precision_recall_f1(*totals[label])[2] for label in per_class if label in totals}
    return Summary(overall, {_TASK: overall}, groups)


def row_id(row: Row) -> str:
    """The row's own `id`, else its first image and how many there are: windows of a scene begin at different frames."""
    if row.get("id") is not None:
        return str(row["id"])
    return f"{row['images'][0]}|{len(row['images'])}"


def problem_of(row: Row) -> str | None:
    """What is wrong with a row, in words."""
    images = row.get("images")
    if row.get("id") is None and not (isinstance(images, (list, tuple)) and images):
        return "has neither an id nor images"
    boxes = row.get("boxes")
    if not isinstance(boxes, (list, tuple)):
        return "has no list 'boxes' of true boxes"
    for box in boxes:
        if not isinstance(box, Mapping) or not isinstance(box.get("label"), str):
            return "has an entry of 'boxes' without a label"
        problem = box_problem(box.get("bbox_3d"), 9)
        if problem:
            return f"has a bbox_3d in 'boxes' that {problem}"
    return None


def oracle(row: Row) -> str:
    """The true boxes in VG LLM's form: one on a line."""
    lines = [f"\t{json.dumps({'label': box['label'], 'bbox_3d': list(box['bbox_3d'])})}" for box in row["boxes"]]
    return "```json\n[\n" + ",\n".join(lines) + "\n]\n```"


def complete(rows: Sequence[Row], files: Mapping[str, Path]) -> list[Row]:
    """Rows with the splits of the side file "classes": {"head": [labels], "common": [...], "tail": [...]}.

    Raises:
        ScoreError: the file holds something else.
        SceneError: it is missing or not JSON.
    """
    if "classes" not in files:
        return list(rows)
    splits: Any = read_json(files["classes"])
    if not isinstance(splits, dict) or not all(
        isinstance(labels, list) and all(isinstance(label, str) for label in labels) for labels in splits.values()
    ):
        raise ScoreError(f"{files['classes']}: expected an object with a list of labels for every split")
    return [{**row, "class_splits": splits} for row in rows]


_DEVIATIONS = {
    "line-by-line": "every line is read on its own: a list on one line counts for nothing",
    "python-notation": "a line is a Python literal: true and null are none, single quotes are fine",
    "double-lamp": "cate31 holds 'lamp' twice",
    "towl": "cate31 holds 'towl', which no true box is called: always 0",
    "absent-classes": "a class of a list that has no true box and no prediction counts as 0",
    "more-than": "an overlap of exactly 0.25 is no hit",
    "in-the-order-written": "boxes take true boxes greedily, in the order in which they were written",
    "exact-label": "'Chair' is not 'chair'",
    "thin-box": "a box with a face below 2 cm2 overlaps nothing: PyTorch3D refuses it",
    "inside-out": "a negative size is taken for its absolute value",
    "odd-box": "a numeric box that has not nine numbers is a false alarm; one of words is passed over",
}

BENCHMARK = Benchmark(
    name="embodiedscan-det",
    title="EmbodiedScan detection",
    protocols=(
        *(
            Protocol(name, about, score_official, summarise_official, _DEVIATIONS)
            for name, about in (
                (
                    "official",
                    "VG LLM's scorer, released with these rows: P, R, F1 at 0.25, means over lists of classes",
                ),
                ("vg-llm", "the same under its own name"),
            )
        ),
        Protocol(
            "embodiedscan",
            "EmbodiedScan: mAP and mAR at 0.25 and 0.5; confidence from 'score' in the reply, 1 without",
            score_ap,
            summarise_ap,
            {
                "best-only": "a detection is compared with the true box it overlaps most, though another may be free",
                "more-than": "an overlap of exactly the threshold is no hit",
                "thick-edges": "a predicted box with a face below 2 cm2 gets edges of at least 2 cm",
                "unknown-classes-free": "predictions of classes that have no true box anywhere cost nothing",
                "ties": "equal confidences are one point of the curve; the released code leaves their order to chance",
            },
        ),
        Protocol(
            "strict",
            "JSON however it is laid out, labels without case, most hits, classes as meant and present",
            score_strict,
            summarise_strict,
        ),
    ),
    row_id=row_id,
    task_of=lambda row: _TASK,
    problem_of=problem_of,
    expected_rows={"4 frames (by others)": 2424},
    baseline=Baselines(oracle, lambda row: _TASK),
    side_files={"classes": "JSON: head, common and tail classes, for their own mAP"},
    complete=complete,
)
