"""From detections in frames to the objects of a scene: lift each one (`lift.py`), join them all (`merge.py`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from spaceland.errors import SceneError
from spaceland.objects.evidence import SeenFrame
from spaceland.objects.frame_depth import DepthReader
from spaceland.objects.lift import LiftConfig, Lifted, lift
from spaceland.objects.merge import merge
from spaceland.objects.stand import floor_height
from spaceland.objects.types import Detection, Found, Progress
from spaceland.scenes.scene import Scene, normalise_label


def find_objects(
    scene: Scene,
    detections_per_frame: Mapping[str, Sequence[Detection]],
    config: LiftConfig | None = None,
    name: str = "detections",
    *,
    progress: Progress | None = None,
) -> Found:
    """Objects from what a finder saw in the frames of a scene.

    Args:
        scene: Posed frames with depth, or a surface that depth can be cast from.
        detections_per_frame: Frame id -> detections in that frame's colour image. Frames in which a finder found
            nothing belong here too, with an empty list: they tell what is not there.
        config: Limits of lifting and merging.
        name: The finder, for the report.
        progress: Called as progress(1, frame id) after each frame.

    Returns:
        Objects, best first, ids from 0. The report counts pixels, detections, points and objects left out, by reason.

    Raises:
        SceneError: a frame id that the scene does not have, or neither depth nor a surface.
    """
    config = config or LiftConfig()
    unknown = sorted(set(detections_per_frame) - set(scene.frames_by_id))
    if unknown:
        some = ", ".join(repr(frame_id) for frame_id in unknown[:3])
        first = f", its first is {scene.frames[0].id!r}" if scene.frames else ""
        raise SceneError(
            f"scene {scene.id}: detections for {len(unknown)} frames that it does not have ({some}); it has "
            f"{len(scene.frames)} frames{first}; detections must carry the scene's frame ids"
        )
    reader = DepthReader(
        scene,
        width_px=config.width_px,
        max_depth_m=config.max_depth_m,
        edge_m=config.edge_m,
        edge_per_m=config.edge_per_m,
    )
    counts: Counter[str] = Counter()
    frames: list[SeenFrame] = []
    lifted: list[Lifted] = []
    num_detections = 0
    floor_z_m = None if scene.room is None else scene.room.floor_z_m
    floor_asked = scene.room is not None
    # In the scene's order, whatever the order of the detections.
    for frame in scene.frames:
        if frame.id not in detections_per_frame:
            continue
        view = reader.view(frame)
        frames.append(SeenFrame.of(view))
        # Looked up once for each frame: some mappings decode masks when they are asked.
        for detection in detections_per_frame[frame.id]:
            num_detections += 1
            if detection.mask is None and not floor_asked:  # masks need no floor, and finding it takes a while
                floor_z_m, floor_asked = floor_height(scene), True
            thing = lift(view, _tidy(detection), config, counts, floor_z_m)
            if thing is not None:
                lifted.append(thing)
        if progress is not None:
            progress(1, frame.id)
    objects = merge(
        lifted, frames, config.merge, voxel_m=config.voxel_m, link_m=config.link_m, counts=counts, floor_z_m=floor_z_m
    )
    report = {
        "finder": name,
        "frames": len(frames),
        "detections": num_detections,
        "lifted": len(lifted),
        "objects": len(objects),
        "left_out": {reason: count for reason, count in sorted(counts.items()) if count},
        "config": asdict(config),
    }
    return Found(tuple(objects), report)


def _tidy(detection: Detection) -> Detection:
    """With a label as the objects of scenes have them, and a score between 0 and 1.

    Raises:
        SceneError: the score or the box is no number.
    """
    numbers = (detection.score, *detection.box_px)
    if not all(math.isfinite(number) for number in numbers):
        raise SceneError(
            f"a detection of {detection.label!r} has score {detection.score} and box {detection.box_px}; "
            "all must be finite numbers"
        )
    label = normalise_label(detection.label) or "object"
    return replace(detection, label=label, score=min(max(float(detection.score), 0.0), 1.0))
