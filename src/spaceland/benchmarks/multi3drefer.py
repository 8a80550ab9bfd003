"""Multi3DRefer: find all objects that a description means - none, one or several.

Rows are those of the release (scene_id, object_ids, object_name, ann_id, description, eval_type) with `gt_bboxes`, the
boxes of the objects (centre, size), as a field or from a side file (`box_rows`). Types: zt (no object), st (one), mt
(several), the first two with or without distractors (`_w_d`, `_wo_d`).

The score of a description is F1 = 2 TP / (predicted + true): predicted and true boxes are paired so that the sum of
their overlaps is largest, and pairs that overlap by at least 0.25 (0.5) are hits. Without true objects it is 1 if
nothing is predicted, else 0. The figures are means over descriptions.

Worked example. Two chairs are meant; three boxes are predicted, two of them right: F1 = 2 * 2 / (3 + 2) = 0.8. The
largest sum is not always the best pairing: of the overlaps [[0.7, 0.45], [0.45, 0.1]] it takes 0.45 + 0.45, no hit at
0.5, although the first predicted box overlaps the first true one by 0.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from spaceland.benchmarks.baselines import Baselines
from spaceland.benchmarks.box_overlap import M3DREF_EPS, SCANREFER_EPS, aligned_iou
from spaceland.benchmarks.box_rows import SIDE_FILES, box_problem, fact, proposals_of, with_side_files
from spaceland.benchmarks.box_text import bare_ids, object_ids, world_boxes
from spaceland.benchmarks.frames import MARKED, PLAIN, FramePolicy
from spaceland.benchmarks.replies import final_part
from spaceland.benchmarks.scanrefer import bare_description
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary

TYPES = ("zt_w_d", "zt_wo_d", "st_w_d", "st_wo_d", "mt")
THRESHOLDS = (0.25, 0.5)
_MAX_SQUARE = 256
"""More predicted boxes than this are paired without padding: the same sum, in less time."""
_SAYS_SOMETHING = re.compile(r"\w")

_CHAT_SCENE = (
    'Are there any objects fitting the description of "{description}"? If so, kindly provide the IDs for those objects.'
)
_WORLD_BOXES = (
    'Which objects in the room does the description "{description}" mean? Answer with a JSON list of their '
    "axis-aligned boxes [x, y, z, size_x, size_y, size_z], centre and size in metres; with [] if there is none."
)
_UNTUNED = (
    " Read the description carefully. If there are objects that it fits, answer Yes and their IDs in the form "
    "<OBJ012>, separated by commas; else answer No."
)
PROMPTS: Mapping[str, str] = {
    "official": _WORLD_BOXES,
    "chat-scene": _CHAT_SCENE,
    "gpt4scene": _CHAT_SCENE,
    "gpt4scene-base": _CHAT_SCENE + _UNTUNED,
    "strict": _CHAT_SCENE,
}
"""Texts by protocol. Chat-Scene draws one of ten; `_WORLD_BOXES` and the words for untuned models are ours."""
FRAMES: dict[str, FramePolicy] = {
    "official": PLAIN,
    **dict.fromkeys(("chat-scene", "gpt4scene", "gpt4scene-base", "strict"), MARKED),
}

Predicted = Float[np.ndarray, "n 6"]
Predict = Callable[[Row, str, str], Predicted]


def prompt(row: Row, protocol_name: str) -> str:
    """The text of a row's question; a row with a `prompt` of its own (Chat-Scene's annotation) keeps it.

    Raises:
        KeyError: there is no such protocol.
    """
    template = PROMPTS[protocol_name]
    own = str(row.get("prompt") or "")
    if own and template.startswith(_CHAT_SCENE):
        return own + template[len(_CHAT_SCENE) :]
    return template.replace("{description}", bare_description(str(row["description"])))


def stated_boxes(row: Row, row_id: str, reply: str) -> Predicted:
    """All axis-aligned boxes of a reply; those of the proposals that it names, where it states none."""
    boxes = world_boxes(reply)
    if boxes or fact(row, "proposals") is None:
        return np.array(boxes).reshape(-1, 6)
    return chosen_proposals(row, row_id, reply)


def chosen_proposals(row: Row, row_id: str, reply: str) -> Predicted:
    """Proposals of all `<OBJ012>`, doubles kept, ids that are none left out."""
    proposals = proposals_of(row, row_id, "chat-scene")
    return proposals[[k for k in object_ids(reply) if k < len(proposals)]]


def numbered_proposals(row: Row, row_id: str, reply: str) -> Predicted:
    """Proposals of all whole numbers in the reply, each once."""
    proposals = proposals_of(row, row_id, "gpt4scene-base")
    return proposals[sorted({k for k in bare_ids(reply) if k < len(proposals)})]


def official_f1(iou: Float[np.ndarray, "p t"]) -> tuple[float, float]:
    """F1 at 0.25 and 0.5 from the overlaps of predicted and true boxes, paired for the largest sum."""
    num_predicted, num_true = iou.shape
    if num_predicted == 0:
        return 0.0, 0.0
    # 32 bits as in the released codes: an overlap of 0.2499999999 is 0.25 here.
    table = iou.astype(np.float32)
    if max(num_predicted, num_true) <= _MAX_SQUARE:
        side = max(num_predicted, num_true)
        square = np.zeros((side, side), dtype=np.float32)
        square[:num_predicted, :num_true] = table
        table = square
    pairs = table[linear_sum_assignment(table, maximize=True)]
    hits = [int((pairs >= threshold).sum()) for threshold in THRESHOLDS]
    return 2 * hits[0] / (num_predicted + num_true), 2 * hits[1] / (num_predicted + num_true)


def strict_f1(iou: Float[np.ndarray, "p t"]) -> tuple[float, float]:
    """F1 at 0.25 and 0.5 with as many hits as any pairing has."""
    num_predicted, num_true = iou.shape
    if num_predicted == 0:
        return 0.0, 0.0
    scores = []
    for threshold in THRESHOLDS:
        hit = (iou >= threshold).astype(float)
        scores.append(2 * float(hit[linear_sum_assignment(hit, maximize=True)].sum()) / (num_predicted + num_true))
    return scores[0], scores[1]


def _row_score(at_25: float, at_50: float) -> RowScore:
    return RowScore(at_25, {"f1@0.25": at_25, "f1@0.5": at_50})


def _score(predict: Predict, eps: float, dtype: Any) -> Callable[[Sequence[Row], Sequence[Reply]], list[RowScore]]:
    def score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        found = []
        for row, reply in zip(rows, replies, strict=True):
            if reply is None:
                found.append(_row_score(0.0, 0.0))
                continue
            predicted = predict(row, row_id(row), reply)
            if str(row["eval_type"]).startswith("zt"):
                nothing = float(len(predicted) == 0)
                found.append(_row_score(nothing, nothing))
                continue
            truth = np.array(row["gt_bboxes"], dtype=np.float64)
            found.append(_row_score(*official_f1(aligned_iou(predicted, truth, eps, dtype))))
        return found

    return score


def _strict_score(rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
    """Each thing counts once, an id that does not exist is a wrong prediction, and silence is no answer."""
    found = []
    for row, reply in zip(rows, replies, strict=True):
        text = "" if reply is None else final_part(reply)
        if not _SAYS_SOMETHING.search(text) and "[]" not in text:
            found.append(_row_score(0.0, 0.0))
            continue
        predicted, num_unknown = _sensible(row, text)
        if str(row["eval_type"]).startswith("zt"):
            nothing = float(len(predicted) + num_unknown == 0)
            found.append(_row_score(nothing, nothing))
            continue
        truth = np.array(row["gt_bboxes"], dtype=np.float64)
        iou = aligned_iou(predicted, truth)
        padded = np.concatenate([iou, np.zeros((num_unknown, len(truth)))])
        found.append(_row_score(*strict_f1(padded)))
    return found


def _sensible(row: Row, text: str) -> tuple[Predicted, int]:
    """Boxes that a reply means, each once, and how many ids in it do not exist."""
    boxes = {tuple(box): None for box in world_boxes(text)}
    named = sorted(set(object_ids(text)))
    if boxes or not named:
        return np.array(list(boxes)).reshape(-1, 6), 0
    if fact(row, "proposals") is None:
        return np.zeros((0, 6)), len(named)
    proposals = proposals_of(row, row_id(row), "strict")
    known = [k for k in named if k < len(proposals)]
    return proposals[known], len(named) - len(known)


def summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    """Means over descriptions: all, by type, and with types joined ("zt", "st"); tasks are F1@0.25."""
    if not scores:
        return Summary(None)
    kinds = np.array([str(row["eval_type"]) for row in rows])
    values = {t: np.array([score.metrics[f"f1@{t}"] for score in scores], dtype=float) for t in THRESHOLDS}
    tasks = {kind: 100 * float(values[0.25][kinds == kind].mean()) for kind in TYPES if (kinds == kind).any()}
    parts = {"": np.ones(len(kinds), dtype=bool)}
    parts |= {f"{kind} ": kinds == kind for kind in TYPES}
    parts |= {f"{kind} ": np.char.startswith(kinds, kind) for kind in ("zt", "st")}
    groups = {
        f"{name}f1@{t}": 100 * float(values[t][inside].mean())
        for name, inside in parts.items()
        for t in THRESHOLDS
        if inside.any()
    }
    return Summary(groups["f1@0.25"], tasks, groups)


def row_id(row: Row) -> str:
    """The row's own `id`, else scene, object name and annotation."""
    if row.get("id") is not None:
        return str(row["id"])
    return f"{row['scene_id']}|{row.get('object_name', '')}|{row['ann_id']}"


def problem_of(row: Row) -> str | None:
    """What is wrong with a row, in words."""
    if row.get("id") is None and (row.get("scene_id") is None or row.get("ann_id") is None):
        return "has neither an id nor scene_id and ann_id"
    if row.get("eval_type") not in TYPES:
        return f"has the eval_type {row.get('eval_type')!r} instead of one of {', '.join(TYPES)}"
    if row["eval_type"].startswith("zt"):
        return None
    boxes = row.get("gt_bboxes")
    if boxes is None:
        return "has no gt_bboxes; give the ground truth boxes in a side file ('extra') or as fields of the rows"
    if not isinstance(boxes, (list, tuple)) or not boxes:
        return "has gt_bboxes that are no list of boxes"
    problem = next((found for found in (box_problem(box, 6) for box in boxes) if found), None)
    return f"has a box in gt_bboxes that {problem}" if problem else None


def oracle(row: Row) -> str:
    """The true boxes, or the proposals that overlap them most where there are proposals."""
    boxes = np.array(row.get("gt_bboxes") or [], dtype=np.float64).reshape(-1, 6)
    if fact(row, "proposals") is None:
        return json.dumps(boxes.tolist())
    if len(boxes) == 0:
        return "No."
    best = aligned_iou(boxes, proposals_of(row, row_id(row), "oracle")).argmax(1)
    return f"Yes. {', '.join(f'<OBJ{k:03}>' for k in sorted(set(best.tolist())))}."


def complete(rows: Sequence[Row], files: Mapping[str, Path]) -> list[Row]:
    """Rows with what side files hold: "extra" (boxes and proposals by scene); see `box_rows`."""
    return with_side_files(rows, files)


_PAIRING = {
    "total-overlap": "boxes are paired for the largest sum of overlaps, not for the most hits",
    "overlap-in-32-bits": "overlaps are rounded to 32 bits before they are compared: 0.2499999999 counts as 0.25",
}
_NO_SUCH_ID = {"unknown-ids-vanish": "an id that is no proposal is as if it had not been said, so it costs nothing"}

BENCHMARK = Benchmark(
    name="multi3drefer",
    title="Multi3DRefer",
    protocols=(
        Protocol(
            "official",
            "M3DRef-CLIP's rule on axis-aligned boxes (or proposals) stated in the reply",
            _score(stated_boxes, float(M3DREF_EPS), np.float32),
            summarise,
            {
                **_PAIRING,
                "eps-in-union": "1.19e-7 is added to the union, in 32 bits: an exact 0.5 falls short up to 1 m3",
                "nothing-read-is-nothing": "a reply without any box says that there is no object",
            },
        ),
        Protocol(
            "chat-scene",
            "Chat-Scene: every <OBJ012> chooses a Mask3D proposal",
            _score(chosen_proposals, SCANREFER_EPS, np.float64),
            summarise,
            {
                **_PAIRING,
                **_NO_SUCH_ID,
                "doubles-count": "an id that is said twice is two predictions, one of them wrong",
                "eps-in-union": "1e-8 is added to the union, but lost again in 32 bits unless the boxes are tiny",
                "nothing-read-is-nothing": "a reply without ids says that there is no object",
            },
        ),
        Protocol(
            "gpt4scene",
            "GPT4Scene, tuned model: the rule of Chat-Scene",
            _score(chosen_proposals, SCANREFER_EPS, np.float64),
            summarise,
            {
                **_PAIRING,
                **_NO_SUCH_ID,
                "doubles-count": "an id that is said twice is two predictions, one of them wrong",
            },
        ),
        Protocol(
            "gpt4scene-base",
            "GPT4Scene, untuned model: every whole number of the reply is an id",
            _score(numbered_proposals, SCANREFER_EPS, np.float64),
            summarise,
            {
                **_PAIRING,
                **_NO_SUCH_ID,
                "any-number": "counts, sizes and years are ids, too; 'Img_3', 'Image 3' and '3.' are not",
                "last-character": "the last character is cut off, whatever it is",
            },
        ),
        Protocol(
            "strict",
            "boxes or proposals, each once, exact overlaps, as many hits as can be; silence is no answer",
            _strict_score,
            summarise,
        ),
    ),
    row_id=row_id,
    task_of=lambda row: str(row["eval_type"]),
    problem_of=problem_of,
    expected_rows={"val": 11120},
    baseline=Baselines(oracle, lambda row: str(row["eval_type"])),
    side_files={"extra": SIDE_FILES["extra"]},
    complete=complete,
)
