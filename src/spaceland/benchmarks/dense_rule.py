"""How captioned boxes of whole scenes are scored: F1 of caption metrics at overlaps, and DCmAP, from sums over scenes.

Predictions are assigned to objects, all captions are scored as one corpus (an object without prediction has the
placeholder), and only values of pairs whose boxes overlap enough are summed. All figures of any set of scenes are made
of the sums, counts and candidates that a scene's score remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.box_overlap import aligned_giou, aligned_iou
from spaceland.benchmarks.dense_captions import (
    Candidate,
    CaptionedBox,
    assigned,
    captioned_boxes,
    compared_object,
    mean_caption_precision,
)
from spaceland.benchmarks.text import java
from spaceland.benchmarks.text.corpus import METRICS, caption_table
from spaceland.benchmarks.types import Reply, Row, RowScore, Summary

THRESHOLDS = (0.0, 0.25, 0.5)
SCORED = tuple(name for name in METRICS if name != "SPICE")
IOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
METEORS = {"DCmAP": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25), "DCmAP (0.15 to 0.75)": (0.15, 0.3, 0.45, 0.6, 0.75)}
"""Thresholds of METEOR: as the released code states them, and as its script sets them when it calls that code."""
Boxes6 = Float[np.ndarray, "n 6"]


@dataclass(frozen=True)
class DenseScore(RowScore):
    """A scene's score with what the figures of any set of scenes are made of.

    `sums` are sums of a metric over the pairs that count, by metric and threshold; None without Java. `candidates` are
    for DCmAP; None without Java.
    """

    sums: Mapping[tuple[str, float], float | None] | None = None
    num_predicted: int = 0
    num_true: int = 0
    candidates: tuple[Candidate, ...] | None = None


@dataclass(frozen=True)
class DenseRule:
    """How captioned boxes are scored.

    `affinity` is what the one-to-one assignment makes as large as it can; `iou` overlaps of all pairs, for F1 and for
    DCmAP. `rest_to_first` and `both_must_rise`: faults of the released script (`dense_captions`). `touching` asks for
    an overlap at threshold 0, too.
    """

    candidate: Callable[[str], str]
    references: Callable[[Mapping[str, Any]], list[str]]
    placeholder: str
    affinity: Callable[[Boxes6, Boxes6], Float[np.ndarray, "p t"]] = aligned_giou
    iou: Callable[[Boxes6, Boxes6], Float[np.ndarray, "p t"]] = aligned_iou
    iou_for_ap: Callable[[Boxes6, Boxes6], Float[np.ndarray, "p t"]] = aligned_iou
    rest_to_first: bool = False
    both_must_rise: bool = False
    touching: bool = False

    def score(self, rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        """A score for every scene. CIDEr's word weights come from the objects of all of them."""
        said = [[] if reply is None else captioned_boxes(reply) for reply in replies]
        pairs = [self._pairs(row, found) for row, found in zip(rows, said, strict=True)]
        references = [self.references(thing) for row in rows for thing in row["objects"]]
        captions = [
            self.placeholder if index is None else self.candidate(found[index].caption)
            for found, chosen in zip(said, pairs, strict=True)
            for index, _ in chosen
        ]
        values = iter(caption_table(references, captions).rows() if references else ())
        ranked = self._candidates(rows, said)
        scores: list[RowScore] = []
        for row, found, chosen, candidates in zip(rows, said, pairs, ranked, strict=True):
            of_objects = [next(values) for _ in row["objects"]]
            sums = {
                (name, least): _sum(
                    [one[name] for one, pair in zip(of_objects, chosen, strict=True) if pair[1] >= least]
                )
                for name in SCORED
                for least in THRESHOLDS
            }
            sums |= {key: None for key in sums if of_objects[0][key[0]] is None}
            total = len(found) + len(chosen)
            f1 = {f"{name} F1@{_text(k)}": _f1(value, total) for (name, k), value in sums.items()}
            own = min(1.0, (f1["CIDEr F1@0.5"] or 0.0) / 10)
            metrics = f1 | {"predicted": float(len(found)), "true": float(len(chosen))}
            scores.append(DenseScore(own, metrics, sums, len(found), len(chosen), candidates))
        return scores

    def _pairs(self, row: Row, found: Sequence[CaptionedBox]) -> list[tuple[int | None, float]]:
        """For every object its prediction and their IoU; -1 where the pair does not count even at 0."""
        predicted, true = _table([one.box for one in found]), _table([thing["box"] for thing in row["objects"]])
        chosen = assigned(self.affinity(predicted, true), rest_to_first=self.rest_to_first)
        iou = self.iou(predicted, true)
        overlaps = [-1.0 if index is None else float(iou[index, target]) for target, index in enumerate(chosen)]
        if self.touching:
            overlaps = [overlap if overlap > 0 else -1.0 for overlap in overlaps]
        return list(zip(chosen, overlaps, strict=True))

    def _candidates(
        self, rows: Sequence[Row], said: Sequence[Sequence[CaptionedBox]]
    ) -> list[tuple[Candidate, ...] | None]:
        """The predictions of every scene for DCmAP; None for all without METEOR."""
        overlaps = [
            self.iou_for_ap(_table([one.box for one in found]), _table([thing["box"] for thing in row["objects"]]))
            for row, found in zip(rows, said, strict=True)
        ]
        # METEOR takes a millisecond a pair: not asked about predictions that are false at every threshold.
        asked = [
            (scene, index, target)
            for scene, iou in enumerate(overlaps)
            for index in range(len(iou))
            if iou[index].max(initial=0) > IOUS[0]
            for target in (range(iou.shape[1]) if self.both_must_rise else [int(iou[index].argmax())])
        ]
        meteors = pair_meteors(
            [self.references(rows[scene]["objects"][target]) for scene, _, target in asked],
            [self.candidate(said[scene][index].caption) for scene, index, _ in asked],
        )
        if meteors is None:
            return [None] * len(rows)
        tables = [np.zeros(iou.shape) for iou in overlaps]
        for (scene, index, target), value in zip(asked, meteors, strict=True):
            tables[scene][index, target] = value
        return [
            tuple(self._candidate(one, iou[index], meteor[index]) for index, one in enumerate(found))
            for found, iou, meteor in zip(said, overlaps, tables, strict=True)
        ]

    def _candidate(self, one: CaptionedBox, iou: np.ndarray, meteor: np.ndarray) -> Candidate:
        target = compared_object(iou, meteor, both_must_rise=self.both_must_rise)
        if target is None:
            return Candidate(one.confidence, 0.0, 0.0, None)
        return Candidate(one.confidence, float(iou[target]), float(meteor[target]), target)


def pair_meteors(references: Sequence[Sequence[str]], captions: Sequence[str]) -> list[float] | None:
    """METEOR of every caption; None without Java or its package."""
    statistics = java.meteor_statistics(references, captions)
    return None if statistics is None else java.meteor(statistics).tolist()


def _sum(values: Sequence[float | None]) -> float:
    return float(sum(value or 0.0 for value in values))


def _f1(value: float | None, total: int) -> float | None:
    """2 P R / (P + R) with P = value / predictions and R = value / objects."""
    return None if value is None else 2 * value / total if total else 0.0


def _text(threshold: float) -> str:
    return f"{threshold:g}"


def _table(boxes: Sequence[Sequence[float]]) -> Boxes6:
    return np.array(boxes, dtype=np.float64).reshape(-1, 6)


def summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    """F1, precision and recall of every metric at every threshold, and DCmAP, all x 100."""
    dense = [score for score in scores if isinstance(score, DenseScore) and score.sums is not None]
    if not dense:
        return Summary(None)
    num_predicted = sum(score.num_predicted for score in dense)
    num_true = sum(score.num_true for score in dense)
    groups: dict[str, float | None] = {}
    for name in SCORED:
        for least in THRESHOLDS:
            parts = [score.sums[name, least] for score in dense if score.sums is not None]
            value = None if None in parts else 100 * _sum(parts)
            figures = {
                "F1": _f1(value, num_predicted + num_true),
                "precision": None if value is None else value / num_predicted if num_predicted else 0.0,
                "recall": None if value is None else value / num_true,
            }
            groups |= {f"{name} {kind}@{_text(least)}": figure for kind, figure in figures.items()}
    scenes = [score.candidates for score in dense if score.candidates is not None]
    for name, meteors in METEORS.items():
        known = len(scenes) == len(dense)
        groups[name] = 100 * mean_caption_precision(scenes, num_true, IOUS, meteors) if known else None
    overall = groups["CIDEr F1@0.5"]
    return Summary(overall, {"caption": overall}, groups)
