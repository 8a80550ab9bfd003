"""Captioning rows of a scan (Scan2Cap): describe what is at a place that is given in the first frame's camera.

Training: one row for each ScanRefer description, the place is the centre of the true box. Evaluation: one row for each
described object with all its descriptions; the place is the centre of the proposal that overlaps the true box most, and
`iou` says how much (below 0.5 the scorer drops the caption).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.box_overlap import SCANREFER_EPS, aligned_iou
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.tasks3d.prompts import IMAGE, captioning_answer, captioning_prompt
from spaceland.vgllmdata.described import Described, SceneBoxes
from spaceland.vgllmdata.frames import circular
from spaceland.vgllmdata.grounding import Row
from spaceland.vgllmdata.infos import Sample
from spaceland.vgllmdata.rules import Rules


def captioning_rows(
    sample: Sample, described: Sequence[Described], boxes: SceneBoxes, rules: Rules, left_out: Counter[str]
) -> Iterator[Row]:
    """Rows in the order of the descriptions, of which evaluation takes the first of each object."""
    texts: dict[str, list[str]] = {}
    for one in described:
        texts.setdefault(one.object_key, []).append(one.description)
    done: set[str] = set()
    for one in described:
        if rules.split == "val" and one.object_key in done:
            continue
        done.add(one.object_key)
        truth = boxes.objects.get(one.object_id)
        if truth is None:
            left_out["the object is not in the scan"] += 1
            continue
        if not sample.views:
            left_out["the scan has no frames"] += 1
            continue
        if rules.split == "train":
            yield _row(sample, one, truth, truth, 1.0, rules)
            continue
        if boxes.proposals is None:
            left_out["the scan has no proposals"] += 1
            continue
        overlap = aligned_iou(boxes.proposals, truth[None], SCANREFER_EPS)[:, 0]
        best = int(overlap.argmax())
        row = _row(sample, one, boxes.proposals[best], truth, float(overlap[best]), rules)
        # The prompt without pictures, as VG LLM's evaluation asks it: it begins with the line break behind them.
        text = row["conversations"][0]["value"].replace(IMAGE, "")
        yield row | {"id": one.object_key, "annotations": texts[one.object_key], "prompt": text}


def _row(
    sample: Sample,
    one: Described,
    box: Float[np.ndarray, "6"],
    truth: Float[np.ndarray, "6"],
    iou: float,
    rules: Rules,
) -> Row:
    rng = rules.rng(sample.scene, "captioning", one.key)
    views = [sample.views[k] for k in circular(len(sample.views), rules.num_frames, rng)]
    center = transform_points(invert_rigid(views[0].T_world_cam), box[:3])
    row: Row = {
        "conversations": [
            {"value": captioning_prompt(center.tolist(), len(views)), "from": "human"},
            {"value": captioning_answer(one.description), "from": "gpt"},
        ],
        "images": [view.path for view in views],
        "input_box": box.tolist(),
        "gt_box": truth.tolist(),
        "iou": iou,
        "metadata": {"dataset": "scan2cap", "ann_id": one.ann_id, "object_id": one.object_id},
    }
    return row | (sample.camera_fields(views) if rules.split == "val" or rules.cameras else {})
