"""Detections that a finder could have made, from frames whose ids are known: perfect, or disturbed in known ways.

They tell apart what lifting and merging do wrong from what a finder does wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int
from scipy import ndimage

from spaceland.errors import SceneError
from spaceland.objects.types import Detection
from spaceland.scenes.scene import Frame, Scene, normalise_label


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What goes wrong: frames lost, masks too small or too large by some pixels, wrong labels."""

    dropped_frames: float = 0.2
    border_px: int = 3
    flipped_labels: float = 0.1
    seed: int = 0


def detections_of_ids(
    ids: Int[np.ndarray, "h w"], labels: Mapping[int, str], frame: Frame, *, min_pixels: int = 1, tracks: bool = False
) -> list[Detection]:
    """A detection with a mask for every id from 0 in a map of a frame's colour image, in the order of the ids.

    Args:
        ids: Map of the colour image's field of view, negative: nothing.
        labels: Of the ids; others are called "object".
        frame: Whose image it is.
        min_pixels: Ids on fewer pixels are left out.
        tracks: Let the ids join detections over frames.
    """
    height, width = ids.shape
    wide, high = frame.camera.width / width, frame.camera.height / height
    found = []
    for number, window in enumerate(ndimage.find_objects(np.where(ids >= 0, ids + 1, 0))):
        if window is None:
            continue
        part = ids[window] == number
        if int(part.sum()) < min_pixels:
            continue
        mask = np.zeros(ids.shape, dtype=bool)
        mask[window] = part
        rows, columns = window
        box = (columns.start * wide, rows.start * high, columns.stop * wide, rows.stop * high)
        found.append(Detection(labels.get(number, "object"), 1.0, box, mask, number if tracks else -1))
    return found


def true_detections(scene: Scene, *, min_pixels: int = 100) -> dict[str, list[Detection]]:
    """Perfect masks of all objects in all frames; the ids of the objects are the tracks.

    Raises:
        SceneError: a frame does not know its ids.
    """
    labels = {thing.id: thing.label for thing in scene.objects}
    found = {}
    for frame in scene.frames:
        if frame.object_ids is None:
            raise SceneError(f"scene {scene.id}, frame {frame.id} has no id map; sample rooms have them")
        found[frame.id] = detections_of_ids(
            np.asarray(frame.object_ids()), labels, frame, min_pixels=min_pixels, tracks=True
        )
    return found


def disturbed(
    detections: Mapping[str, Sequence[Detection]], noise: Noise, labels: Sequence[str]
) -> dict[str, list[Detection]]:
    """Detections with noise: the same seed gives the same.

    Args:
        detections: With masks.
        noise: What goes wrong. Of each mask it is drawn whether its border shrinks or grows.
        labels: Wrong labels are drawn from these.
    """
    random = np.random.default_rng(noise.seed)
    names = sorted({normalise_label(label) for label in labels})
    found: dict[str, list[Detection]] = {}
    for frame_id, in_frame in detections.items():
        lost = random.random() < noise.dropped_frames
        kept = []
        for thing in in_frame:
            grows, flips = random.random() < 0.5, random.random() < noise.flipped_labels
            other = [name for name in names if name != thing.label]
            label = other[int(random.integers(len(other)))] if flips and other else thing.label
            assert thing.mask is not None
            mask = _moved_border(thing.mask, noise.border_px if grows else -noise.border_px)
            if mask.any():
                kept.append(replace(thing, label=label, mask=mask))
        if not lost:
            found[frame_id] = kept
    return found


def _moved_border(mask: Bool[np.ndarray, "h w"], pixels: int) -> Bool[np.ndarray, "h w"]:
    """The mask grown by some pixels all around, or shrunk by them where the number is negative."""
    if pixels == 0:
        return mask
    if pixels > 0:
        return ndimage.binary_dilation(mask, iterations=pixels)
    return ndimage.binary_erosion(mask, iterations=-pixels, border_value=1)
