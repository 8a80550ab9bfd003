"""EmbodiedScan's own figures: average precision and recall of every class at overlaps of 0.25 and 0.5.

Detections of a class are taken over all scenes in falling order of confidence. Each is compared with the true box of
its class that it overlaps most, and only with that: a hit if the overlap is more than the threshold and the box is
still free, else a false alarm. AP is the area under the curve of the best precision at each recall or beyond.

Worked example. Two true chairs; detections in order: hit, false alarm, hit. Precision 1, 1/2, 2/3 at recall 1/2, 1/2,
1: AP = 1/2 * 1 + 1/2 * 2/3 = 0.8333.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from spaceland.benchmarks.embodiedscan_read import Detection, overlaps, read_all, tolerant_detections, truths
from spaceland.benchmarks.types import Reply, Row, RowScore, Summary

THRESHOLDS = (0.25, 0.5)
_THIN_M2 = 2e-4
_LEAST_M = 2e-2


@dataclass(frozen=True)
class RankedScore(RowScore):
    """A row's detections as (label, confidence, hit at 0.25, hit at 0.5), and the labels of its true boxes."""

    detections: tuple[tuple[str, float, bool, bool], ...] = ()
    true_labels: tuple[str, ...] = ()
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)


def score_ap(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
    """Hits of every row; the row's own score is its F1 at 0.25 over all labels."""
    true = [truths(row) for row in rows]
    said = [[thickened(one) for one in found] for found in read_all(replies, tolerant_detections)]
    # In falling order of confidence, equal ones as written.
    predicted = [sorted(found, key=lambda one: -one.confidence) for found in said]
    scores: list[RowScore] = []
    for row, found, real, iou in zip(rows, predicted, true, overlaps(predicted, true, thin_is_zero=False), strict=True):
        hits = [_hits(found, real, iou, threshold) for threshold in THRESHOLDS]
        detections = tuple(
            (one.label, one.confidence, at_25, at_50) for one, at_25, at_50 in zip(found, *hits, strict=True)
        )
        num_hits = sum(hits[0])
        total = len(found) + len(real)
        f1 = 2 * num_hits / total if total else float(replies[len(scores)] is not None)
        metrics = {"hits@0.25": float(num_hits), "predicted": float(len(found)), "true": float(len(real))}
        labels = tuple(one.label for one in real)
        scores.append(RankedScore(f1, metrics, detections, labels, row.get("class_splits") or {}))
    return scores


def thickened(detection: Detection) -> Detection:
    """A box with a face below 2 cm2 gets all its edges to at least 2 cm, as the released code does with predictions."""
    if detection.box is None:
        return detection
    x, y, z = detection.box[3:6]
    if min(x * y, x * z, y * z) >= _THIN_M2:
        return detection
    edges = tuple(max(edge, _LEAST_M) for edge in (x, y, z))
    return replace(detection, box=(*detection.box[:3], *edges, *detection.box[6:]))


def _hits(predicted: Sequence[Detection], true: Sequence[Detection], iou: np.ndarray, threshold: float) -> list[bool]:
    taken: set[int] = set()
    found = []
    for index in range(len(predicted)):
        best = int(iou[index].argmax()) if len(true) else -1
        hit = best >= 0 and iou[index, best] > threshold and best not in taken
        found.append(bool(hit))
        if hit:
            taken.add(best)
    return found


def average_precision(confidences: Sequence[float], hits: Sequence[bool], num_true: int) -> tuple[float, float]:
    """(AP, final recall) of the detections of a class, in any order.

    Equal confidences are taken together: the curve has one point for them, whatever order they came in.
    """
    if not hits:
        return 0.0, 0.0
    order = np.argsort(-np.asarray(confidences, dtype=float), kind="stable")
    ranked = np.asarray(confidences, dtype=float)[order]
    num_hits = np.cumsum(np.asarray(hits, dtype=float)[order])
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    recall = np.concatenate([[0.0], num_hits[ends] / num_true, [1.0]])
    precision = np.concatenate([[0.0], num_hits[ends] / (ends + 1), [0.0]])
    best = np.maximum.accumulate(precision[::-1])[::-1]
    # The released code keeps AP in 32 bits.
    return float(np.float32((np.diff(recall) * best[1:]).sum())), float(recall[-2])


def summarise_ap(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    """mAP and mAR over the classes that have true boxes; `overall` is mAP at 0.25. Splits of classes as in the rows."""
    ranked = [score for score in scores if isinstance(score, RankedScore)]
    num_true: dict[str, int] = {}
    said: dict[str, list[tuple[str, float, bool, bool]]] = {}
    for score in ranked:
        for label in score.true_labels:
            num_true[label] = num_true.get(label, 0) + 1
        for detection in score.detections:
            said.setdefault(detection[0], []).append(detection)
    if not num_true:
        return Summary(None)
    groups: dict[str, float | None] = {}
    by_class: dict[str, dict[str, float]] = {}
    # Classes without a true box have no recall and are left out, whatever was predicted of them.
    for label in sorted(num_true):
        found = said.get(label, [])
        confidences = [one[1] for one in found]
        for threshold, hits in zip(THRESHOLDS, ([one[2] for one in found], [one[3] for one in found]), strict=True):
            ap, recall = average_precision(confidences, hits, num_true[label])
            by_class.setdefault(label, {}).update({f"AP@{threshold}": 100 * ap, f"AR@{threshold}": 100 * recall})
    names = [f"{kind}@{threshold}" for threshold in THRESHOLDS for kind in ("AP", "AR")]
    groups |= {f"m{name}": float(np.mean([values[name] for values in by_class.values()])) for name in names}
    splits = next((score.splits for score in ranked if score.splits), {})
    for split, labels in splits.items():
        inside = [by_class[label] for label in labels if label in by_class]
        groups |= {f"{split} m{name}": float(np.mean([v[name] for v in inside])) if inside else None for name in names}
    groups |= {f"{label} {name}": values[name] for label, values in by_class.items() for name in names[::2]}
    return Summary(groups["mAP@0.25"], {"detection": groups["mAP@0.25"]}, groups)
