"""Captioned boxes of a scene against its described objects: what a reply holds, who belongs to whom, average precision.

Worked example. Two objects; three captioned boxes, the first two on the objects, the third in the air. Both captions
are worth 1, so precision is 2/3, recall 2/2, F1 = 2 * 2 / (3 + 2) = 0.8: whatever a caption is worth, F1 is twice the
sum over the matched ones, divided by the number of predictions and objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from spaceland.benchmarks.box_text import numbers, values_in, world_box
from spaceland.benchmarks.embodiedscan_ap import average_precision
from spaceland.benchmarks.replies import final_part


@dataclass(frozen=True)
class CaptionedBox:
    """An axis-aligned box (centre, size, metres) with its caption; `confidence` is 1 unless it is stated."""

    box: tuple[float, ...]
    caption: str
    confidence: float = 1.0


@dataclass(frozen=True)
class Candidate:
    """A prediction beside the one object it is compared with (None: its scene has none): overlap and METEOR."""

    confidence: float
    iou: float
    meteor: float
    target: int | None


def captioned_boxes(reply: str) -> list[CaptionedBox]:
    """Every object with a "caption" and a "box" (six numbers: centre and size; or eight corners), wherever it stands.

    The confidence is its "confidence" or "score", or the second number of "obj_prob", as the benchmark server's files
    have it; 1 without, 0 where it is no number. What has no text or no box is left out.

    >>> captioned_boxes('[{"box": [0, 0, 1, 1, 1, 2], "caption": "a tall lamp", "confidence": 0.7}]')
    [CaptionedBox(box=(0.0, 0.0, 1.0, 1.0, 1.0, 2.0), caption='a tall lamp', confidence=0.7)]
    """
    found = []
    for value in values_in(final_part(reply)):
        if isinstance(value, dict) and "caption" not in value:
            value = next((inner for inner in value.values() if isinstance(inner, list)), [])
        for entry in value if isinstance(value, list) else [value]:
            if not isinstance(entry, dict) or not isinstance(entry.get("caption"), str):
                continue
            box = world_box(entry)
            if box is not None:
                found.append(CaptionedBox(tuple(box), entry["caption"], _confidence(entry)))
    return found


def _confidence(entry: dict[str, object]) -> float:
    both = numbers(entry.get("obj_prob"), 2)
    if both is not None:
        return both[1]
    stated = numbers([entry.get("confidence", entry.get("score", 1.0))], 1)
    return stated[0] if stated else 0.0


def assigned(affinity: Float[np.ndarray, "p t"], *, rest_to_first: bool) -> list[int | None]:
    """The prediction of every object: one to one, for the largest sum of affinities.

    rest_to_first: objects for which no prediction is left take the first one of the scene, as the released script does.
    """
    num_predicted, num_true = affinity.shape
    rest = 0 if rest_to_first and num_predicted else None
    found: list[int | None] = [rest] * num_true
    for prediction, target in zip(*linear_sum_assignment(affinity, maximize=True), strict=True):
        found[int(target)] = int(prediction)
    return found


def compared_object(iou: Float[np.ndarray, "t"], meteor: Float[np.ndarray, "t"], *, both_must_rise: bool) -> int | None:
    """The object that a prediction is compared with: that of the best overlap.

    both_must_rise: objects are walked through in order, and one takes the place of the one before only if overlap and
    METEOR are both larger, as in the released script; so the object of the best overlap can be passed over.
    """
    if len(iou) == 0:
        return None
    if not both_must_rise:
        return int(iou.argmax())
    best = 0
    for index in range(1, len(iou)):
        if iou[index] > iou[best] and meteor[index] > meteor[best]:
            best = index
    return best


def caption_precision(
    scenes: Sequence[Sequence[Candidate]], num_true: int, least_iou: float, least_meteor: float
) -> float:
    """Average precision, 0 to 1: hits are above both thresholds, the first on their object by falling confidence."""
    confidences: list[float] = []
    hits: list[bool] = []
    for candidates in scenes:
        taken: set[int] = set()
        for one in sorted(candidates, key=lambda one: -one.confidence):
            hit = one.target is not None and one.iou > least_iou and one.meteor > least_meteor
            hit = hit and one.target not in taken
            if hit and one.target is not None:
                taken.add(one.target)
            confidences.append(one.confidence)
            hits.append(hit)
    return average_precision(confidences, hits, num_true)[0] if num_true else 0.0


def mean_caption_precision(
    scenes: Sequence[Sequence[Candidate]], num_true: int, ious: Sequence[float], meteors: Sequence[float]
) -> float:
    """The mean of `caption_precision` over all pairs of thresholds (DCmAP), 0 to 1."""
    values = [caption_precision(scenes, num_true, iou, meteor) for iou in ious for meteor in meteors]
    return float(np.mean(values))
