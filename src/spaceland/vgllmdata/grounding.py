"""Grounding rows of a scan: find what a ScanRefer description means, in 32 frames.

The described object has an axis-aligned box around its vertices; EmbodiedScan says which frames show which of *its*
instances. The instance that overlaps the box most stands for the object (training leaves it out below 0.5). The target
is the axis-aligned box, its angles zero in the world, in the camera of the frame where the instance's projection is
largest. Evaluation rows have frames and cameras, and no target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.box_overlap import boxes_of, pair_iou
from spaceland.tasks3d.box9_frames import Box9
from spaceland.tasks3d.prompts import grounding_answer, grounding_prompt, grounding_text
from spaceland.vgllmdata.described import Described, SceneBoxes
from spaceland.vgllmdata.frames import best_view, circular, showing
from spaceland.vgllmdata.infos import Sample, View
from spaceland.vgllmdata.rules import Rules

Row = dict[str, Any]


def grounding_rows(
    sample: Sample, described: Sequence[Described], boxes: SceneBoxes, rules: Rules, left_out: Counter[str]
) -> Iterator[Row]:
    """Rows in the order of the descriptions; those without any are counted by reason."""
    matched: dict[str, tuple[int, float] | None] = {}
    for one in described:
        box = boxes.objects.get(one.object_id)
        if box is None:
            left_out["the object is not in the scan"] += 1
            continue
        if not sample.views:
            left_out["the scan has no frames"] += 1
            continue
        if rules.split == "val":
            rng = rules.rng(sample.scene, "grounding", one.key)
            views = [sample.views[k] for k in circular(len(sample.views), rules.num_frames, rng)]
            yield _row(sample, one, views, box, rules, None)
            continue
        if one.object_id not in matched:
            matched[one.object_id] = match_instance(sample, box)
        match = matched[one.object_id]
        if match is None or match[1] < rules.min_iou:
            left_out[f"no instance overlaps the object by {rules.min_iou:g}"] += 1
            continue
        for number in range(rules.samples):
            row = _training_row(sample, one, match[0], box, rules, number)
            if row is None:
                left_out["no frame shows the object (a row)"] += 1
            else:
                yield row


def match_instance(sample: Sample, box: Float[np.ndarray, "6"]) -> tuple[int, float] | None:
    """The place of the instance that overlaps an axis-aligned box most, and how much; None where none does."""
    places, instances = sample.boxes
    if not places:
        return None
    truth = boxes_of(np.tile([*box, 0.0, 0.0, 0.0], (len(places), 1)))
    iou = pair_iou(truth, instances)
    best = int(iou.argmax())
    return (places[best], float(iou[best])) if iou[best] > 0 else None


def world_box(box: Float[np.ndarray, "6"]) -> tuple[float, ...]:
    """An axis-aligned box as nine numbers with angles 0."""
    return (*map(float, box), 0.0, 0.0, 0.0)


def _training_row(
    sample: Sample, one: Described, instance: int, box: Float[np.ndarray, "6"], rules: Rules, number: int
) -> Row | None:
    rng = rules.rng(sample.scene, "grounding", f"{one.key}|{number}")
    places = showing([instance in view.visible for view in sample.views], rules.num_frames, rng)
    frame = best_view(sample, places, instance)
    if frame is None:
        return None
    views = [sample.views[k] for k in places]
    target = Box9(world_box(box), rules.convention).in_camera(views[frame].T_world_cam, frame)
    return _row(sample, one, views, box, rules, target)


def _row(
    sample: Sample,
    one: Described,
    views: Sequence[View],
    box: Float[np.ndarray, "6"],
    rules: Rules,
    target: Box9 | None,
) -> Row:
    """A row with the fields of the released ones."""
    answer = "" if target is None else grounding_answer(target)
    told: Mapping[str, Any] | None = None if target is None else {"frame": target.frame, "bbox_3d": target.rounded()}
    row: Row = {
        "images": [view.path for view in views],
        "conversations": [
            {"value": grounding_prompt(one.description, len(views)), "from": "human"},
            {"value": answer, "from": "gpt"},
        ],
        "metadata": {
            "dataset": "scanrefer",
            "question_type": one.kind,
            "ann_id": one.ann_id,
            "object_id": one.object_id,
        },
        "target": told,
        "gt_bbox": list(world_box(box)),
        "prompt": grounding_text(one.description),
    }
    return row | (sample.camera_fields(views) if target is None or rules.cameras else {})
