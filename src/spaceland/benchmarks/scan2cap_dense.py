"""Scan2Cap as the benchmark server scores it: find all objects of a room and describe each (dense captioning).

A row is a scene with all its described objects; a reply is a JSON list of captioned boxes (`dense_captions`):

    {"scene_id": "scene0011_00", "objects": [{"object_id": "8", "box": [x, y, z, size_x, size_y, size_z],
      "descriptions": ["This is a black chair."], "tokens": [["this", "is", "a", ...]]}]}
    {"id": "scene0011_00", "prediction": [{"box": [...], "caption": "a black chair", "confidence": 0.9}, ...]}

Boxes are axis-aligned, centre and size in metres, in ScanNet's aligned world. Predictions are assigned to objects one
to one. F1@k of a caption metric is the harmonic mean of its sum over the pairs with IoU k, divided by the number of
predictions, and by that of objects; k = 0, 0.25, 0.5. Overall is CIDEr F1@0.5 x 100. DCmAP is an average precision over
thresholds of IoU and METEOR, None without METEOR. A scene's own score is its CIDEr F1@0.5 / 10, 1 at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.box_overlap import SCANREFER_EPS, aligned_giou, aligned_iou, scan2cap_giou
from spaceland.benchmarks.box_rows import SIDE_FILES
from spaceland.benchmarks.clean import strict_text
from spaceland.benchmarks.dense_captions import (
    Candidate,
    CaptionedBox,
    assigned,
    captioned_boxes,
    compared_object,
    mean_caption_precision,
)
from spaceland.benchmarks.frames import PLAIN, FramePolicy
from spaceland.benchmarks.scan2cap import wrapped
from spaceland.benchmarks.scan2cap_rows import descriptions_of, spaced
from spaceland.benchmarks.scan2cap_scenes import complete, oracle, problem_of, row_id
from spaceland.benchmarks.text import java
from spaceland.benchmarks.text.corpus import METRICS, caption_table
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

THRESHOLDS = (0.0, 0.25, 0.5)
SCORED = tuple(name for name in METRICS if name != "SPICE")
IOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
METEORS = {"DCmAP": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25), "DCmAP (0.15 to 0.75)": (0.15, 0.3, 0.45, 0.6, 0.75)}
"""Thresholds of METEOR: as the released code states them, and as its script sets them when it calls that code."""
PROMPTS = {
    "ours": "Find all objects in the room and describe each of them: what it is, what it looks like and where it "
    "stands. Answer with a JSON list whose entries have the axis-aligned box of the object as "
    '"box": [x, y, z, size_x, size_y, size_z], centre and size in metres, its description in "caption" and how sure '
    'you are, from 0 to 1, in "confidence".'
}
FRAMES: dict[str, FramePolicy] = {"official": PLAIN}
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


def prompt(row: Row, protocol: str = "official") -> str:
    """Words of ours: the server takes files and has none.

    Raises:
        KeyError: there is no such protocol.
    """
    BENCHMARK.protocol(protocol)
    return str(row.get("prompt") or PROMPTS["ours"])


def _server_caption(caption: str) -> str:
    """In the words of the released tokens, with one "sos" and "eos", which the server's files hold already."""
    words = spaced(caption).split()
    words = words[1:] if words[:1] == ["sos"] else words
    words = words[:-1] if words[-1:] == ["eos"] else words
    return wrapped(" ".join(words))


def _all_tokens(thing: Mapping[str, Any]) -> list[str]:
    tokens = thing.get("tokens") or [spaced(text).split() for text in descriptions_of(thing)]
    return [wrapped(" ".join(map(str, words))) for words in tokens]


def _strict_references(thing: Mapping[str, Any]) -> list[str]:
    return [strict_text(text) for text in descriptions_of(thing)]


_WORDS = {
    "sos-eos": "both sides are wrapped in sos and eos, two free words that raise every metric but CIDEr",
    "free-text": "the server's files hold tokens; a caption is brought into the same words first",
    "zero-is-anything": "at threshold 0 every pair counts, also of boxes that do not touch",
}
_OURS = {
    "other-meteor": "DCmAP takes METEOR 1.5, as F1 does; the released script takes NLTK's METEOR 1.0 there",
    "two-ranges": "the released code states METEOR thresholds of 0 to 0.25 and its script sets 0.15 to 0.75: both",
    "scene-without-reply": "its objects count in recall; the released script stops there",
    "nothing-found": "F1 is 0 where nothing counts; the released script gives NaN",
    "no-detection-figure": "the server also reports mAP of boxes by 18 classes; not here",
}


def _eps_32(a: Boxes6, b: Boxes6) -> Float[np.ndarray, "p t"]:
    return aligned_iou(a, b, SCANREFER_EPS, np.float32)


def _eps_64(a: Boxes6, b: Boxes6) -> Float[np.ndarray, "p t"]:
    return aligned_iou(a, b, SCANREFER_EPS)


PROTOCOLS = (
    Protocol(
        "official",
        "Scan2Cap benchmark/eval.py (b9e9610), the released script of the benchmark server, with its faults",
        DenseRule(
            _server_caption,
            _all_tokens,
            "sos eos",
            affinity=scan2cap_giou,
            iou=_eps_32,
            iou_for_ap=_eps_64,
            rest_to_first=True,
            both_must_rise=True,
        ).score,
        summarise,
        {
            "no-overlap-in-giou": "the overlap in its GIoU is always 0 (axes taken for y up): boxes are assigned by "
            "their volumes and the box around both",
            "first-takes-the-rest": "where there are fewer predictions than objects, those that are left take the first "
            "prediction, and at threshold 0 its caption counts for all of them",
            "both-must-rise": "for DCmAP an object replaces the one before only if IoU and METEOR are both larger, so "
            "the order of objects counts",
            **_WORDS,
            **_OURS,
        },
    ),
    Protocol(
        "described",
        "the server's rules as described: one to one by generalised IoU, nothing for objects that are left",
        DenseRule(_server_caption, _all_tokens, "sos eos", iou=_eps_32, iou_for_ap=_eps_64).score,
        summarise,
        {**_WORDS, **_OURS},
    ),
    Protocol(
        "strict",
        "as described, with PTB words without articles, no sos and eos, and an overlap also at threshold 0",
        DenseRule(strict_text, _strict_references, "", touching=True).score,
        summarise,
    ),
)

BENCHMARK = Benchmark(
    name="scan2cap-dense",
    title="Scan2Cap, dense captioning",
    protocols=PROTOCOLS,
    row_id=row_id,
    task_of=lambda row: "caption",
    problem_of=problem_of,
    baseline=Baselines(gold=oracle, pool_of=lambda row: "caption"),
    side_files={"extra": SIDE_FILES["extra"]},
    complete=complete,
)
