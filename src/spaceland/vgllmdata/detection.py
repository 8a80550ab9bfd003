"""Detection rows of a scan: every object that a short window of the video shows, in its first frame's camera.

A window is 4 (or 6) frames, each `base_interval` frames of EmbodiedScan after the one before, within a stretch of the
video without gaps. It may begin at any frame; of evaluation scans ten windows are drawn. Objects come in the order in
which frames list them, each once; walls, ceilings, floors and things labelled "object" are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from spaceland.geometry.transforms import invert_rigid
from spaceland.tasks3d.box9_frames import Box9, moved
from spaceland.tasks3d.prompts import detection_answer, detection_prompt
from spaceland.vgllmdata.grounding import Row
from spaceland.vgllmdata.infos import Sample
from spaceland.vgllmdata.rules import RAW_STEP, REMOVED_LABELS, Rules


def detection_rows(sample: Sample, rules: Rules, left_out: Counter[str]) -> Iterator[Row]:
    """Rows in the order of the video."""
    windows = windows_of([view.number for view in sample.views], rules.window_frames, rules.base_interval)
    kept = rules.windows_kept
    if kept is not None and len(windows) > kept:
        left_out["windows that were not drawn"] += len(windows) - kept
        rng = rules.rng(sample.scene, "detection", "windows")
        windows = [windows[k] for k in sorted(rng.sample(range(len(windows)), kept))]
    if not windows:
        left_out["scans too short for a window"] += 1
    for window in windows:
        yield _row(sample, window, rules)


def windows_of(numbers: Sequence[int], num_frames: int, interval: int) -> list[tuple[int, ...]]:
    """Places of the frames of all windows; `numbers` are frame numbers of the raw video.

    >>> windows_of([0, 10, 20, 30, 50, 60, 70], 2, 2)
    [(0, 2), (1, 3), (4, 6)]
    """
    reach = (num_frames - 1) * interval
    found = []
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + RAW_STEP:
            found += [tuple(range(first, first + reach + 1, interval)) for first in range(start, place - reach)]
            start = place
    return found


def _row(sample: Sample, window: Sequence[int], rules: Rules) -> Row:
    views = [sample.views[k] for k in window]
    seen = dict.fromkeys(place for view in views for place in view.visible)
    things = [sample.instances[place] for place in seen if place in sample.instances]
    things = [thing for thing in things if thing.label not in REMOVED_LABELS]
    T_cam_world = invert_rigid(views[0].T_world_cam)
    boxes = [Box9.of(moved(thing.box, T_cam_world), rules.convention, frame=0) for thing in things]
    labels = [thing.label for thing in things]
    row: Row = {
        "conversations": [
            {"from": "human", "value": detection_prompt(len(views))},
            {"from": "gpt", "value": detection_answer(labels, boxes)},
        ],
        "images": [view.path for view in views],
        "boxes": [{"bbox_3d": list(box.values), "label": label} for label, box in zip(labels, boxes, strict=True)],
    }
    return row | (sample.camera_fields(views) if rules.split == "val" or rules.cameras else {})
