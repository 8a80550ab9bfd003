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

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.box_overlap import SCANREFER_EPS, aligned_iou, scan2cap_giou
from spaceland.benchmarks.box_rows import SIDE_FILES
from spaceland.benchmarks.clean import strict_text
from spaceland.benchmarks.dense_rule import Boxes6, DenseRule, summarise
from spaceland.benchmarks.frames import PLAIN, FramePolicy
from spaceland.benchmarks.scan2cap import wrapped
from spaceland.benchmarks.scan2cap_rows import descriptions_of, spaced
from spaceland.benchmarks.scan2cap_scenes import complete, oracle, problem_of, row_id
from spaceland.benchmarks.types import Benchmark, Protocol, Row

PROMPTS = {
    "ours": "Find all objects in the room and describe each of them: what it is, what it looks like and where it "
    "stands. Answer with a JSON list whose entries have the axis-aligned box of the object as "
    '"box": [x, y, z, size_x, size_y, size_z], centre and size in metres, its description in "caption" and how sure '
    'you are, from 0 to 1, in "confidence".'
}
FRAMES: dict[str, FramePolicy] = {"official": PLAIN}


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
            "first-takes-the-rest": "with fewer predictions than objects, those that are left take the first "
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
    expected_rows={"val": 141},
    baseline=Baselines(gold=oracle, pool_of=lambda row: "caption"),
    side_files={"extra": SIDE_FILES["extra"]},
    complete=complete,
)
