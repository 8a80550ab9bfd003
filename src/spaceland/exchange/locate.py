"""Which object a released mark means: by its pixel and its label, through what the frame really sees.

A point is matched when the object at its pixel has the label beside the mark; else when the middle of exactly one
object with that label is projected near it. A box is matched with the object of that label whose visible part, or whose
projected box, overlaps it best, and clearly better than any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spaceland.exchange.answer_text import ANONYMOUS, UnreadableError
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.questions.marks import Mark, box_to_thousand
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.scenes.scene import NO_OBJECT, Frame, Scene, SceneObject, normalise_label
from spaceland.visibility.maps import FrameMaps, MapMaker
from spaceland.visibility.measure import ObjectSamples, measure_frame
from spaceland.visibility.types import ObjectView, VisibilityConfig

Box = tuple[float, float, float, float]
_NEAR = 25.0
"""How far the middle of an object may be projected from its point, 0 to 1000."""
_MIN_IOU = 0.4
_CLEARLY = 0.1
_HELD = 64
"""Frames whose maps are kept."""
_POLICY = AmbiguityPolicy()
"""What our own questions mean by seen and unseen."""


class Locator:
    """Finds objects under marks in one scene; looks at each frame once, when it is asked about."""

    def __init__(self, scene: Scene, config: VisibilityConfig | None = None) -> None:
        self.scene, self.config = scene, config or VisibilityConfig()
        self._maker = MapMaker(scene, self.config)
        self._samples: ObjectSamples | None = None
        self._maps: dict[str, FrameMaps] = {}
        self._views: dict[str, dict[int, ObjectView]] = {}
        self._found: dict[tuple[str, str, tuple[int, ...], str], SceneObject | str] = {}
        self._numbers: dict[int, list[Frame]] | None = None
        respelled = {normalise_label(thing.raw_label): thing.label for thing in scene.objects}
        self.spelled: dict[str, str] = {
            raw: label for raw, label in respelled.items() if raw != label and raw not in scene.label_counts
        }
        """How our scene writes labels that its source, and so a release, writes in another way."""

    def frame(self, name: str) -> Frame:
        """The frame that a release calls by a number, or by its id.

        Raises:
            UnreadableError: the scan does not have it.
        """
        if name in self.scene.frames_by_id:
            return self.scene.frames_by_id[name]
        if self._numbers is None:
            from spaceland.exchange.spar7m import frame_number

            self._numbers = {}
            for frame in self.scene.frames:
                number = frame_number(frame.id)
                if number is not None:
                    self._numbers.setdefault(number, []).append(frame)
        found = self._numbers.get(int(name), []) if name.isdecimal() else []
        if len(found) != 1:
            raise UnreadableError("a frame is not in the scan")
        return found[0]

    def find(self, mark: Mark, frame: Frame, label: str) -> SceneObject:
        """The object under a mark; the same mark comes back in other formats and tasks.

        Raises:
            UnreadableError: none fits, or several do.
        """
        key = (frame.id, mark.shape, mark.xy, label)
        if key not in self._found:
            try:
                self._found[key] = self._find(mark, frame, label)
            except UnreadableError as why:
                self._found[key] = str(why)
        found = self._found[key]
        if isinstance(found, str):
            raise UnreadableError(found)
        return found

    def _find(self, mark: Mark, frame: Frame, label: str) -> SceneObject:
        things = self.scene.objects
        fitting = [thing for thing in things if thing.label == label] if label and label != ANONYMOUS else list(things)
        return self._under_point(mark, frame, fitting) if mark.shape == "point" else self._in_box(mark, frame, fitting)

    def only(self, label: str) -> SceneObject:
        """The one object of a label."""
        fitting = [thing for thing in self.scene.objects if thing.label == label]
        if len(fitting) != 1:
            raise UnreadableError("several objects have the label of one without a mark")
        return fitting[0]

    def sees(self, thing: SceneObject, frame: Frame) -> bool | None:
        """Whether a frame clearly shows an object (True), clearly does not (False), or neither (None)."""
        view = self._views_in(frame).get(thing.id)
        share = 0.0 if view is None else view.visible_px / (frame.camera.width * frame.camera.height)
        if view is None or share < _POLICY.unseen_area_share:
            return False
        if view.contradicted > _POLICY.max_contradicted or share < _POLICY.min_area_share:
            return None
        plain = share >= _POLICY.seen_large_share or view.visible_fraction >= _POLICY.seen_fraction
        return True if plain else None

    def _under_point(self, mark: Mark, frame: Frame, fitting: Sequence[SceneObject]) -> SceneObject:
        maps = self._frame_maps(frame)
        column = min(int(mark.xy[0] * maps.camera.width / 1000), maps.camera.width - 1)
        row = min(int(mark.xy[1] * maps.camera.height / 1000), maps.camera.height - 1)
        around = maps.object_ids[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        ids = [int(maps.object_ids[row, column]), *sorted({int(v) for v in around.ravel()})]
        by_id = {thing.id: thing for thing in fitting}
        for object_id in ids:
            if object_id != NO_OBJECT and object_id in by_id:
                return by_id[object_id]
        near = [thing for thing in fitting if _gap(_center_at(thing, frame), mark.xy) <= _NEAR]
        if len(near) == 1:
            return near[0]
        raise UnreadableError("the point is not on an object with that label")

    def _in_box(self, mark: Mark, frame: Frame, fitting: Sequence[SceneObject]) -> SceneObject:
        scores = []
        for thing in fitting:
            boxes = [box for box in (self.visible_box(thing, frame), projected_box(thing, frame)) if box]
            if boxes:
                scores.append((max(iou(box, mark.xy) for box in boxes), thing.id, thing))
        scores.sort(key=lambda item: (-item[0], item[1]))
        if not scores or scores[0][0] < _MIN_IOU:
            raise UnreadableError("no object with that label fits the box")
        if len(scores) > 1 and scores[0][0] < 0.98 and scores[1][0] > scores[0][0] - _CLEARLY:
            raise UnreadableError("several objects with that label fit the box")
        return scores[0][2]

    def visible_box(self, thing: SceneObject, frame: Frame) -> Box | None:
        """Around the visible part of an object, 0 to 1000; None where the frame does not show it."""
        view = self._views_in(frame).get(thing.id)
        return None if view is None else box_to_thousand(view.box_px, frame.camera.width, frame.camera.height)

    def _views_in(self, frame: Frame) -> dict[int, ObjectView]:
        if frame.id not in self._views:
            if self._samples is None:
                self._samples = ObjectSamples.of_scene(self.scene)
            views = measure_frame(frame, self._frame_maps(frame), self._samples, self.config)
            self._views[frame.id] = {view.object_id: view for view in views}
        return self._views[frame.id]

    def _frame_maps(self, frame: Frame) -> FrameMaps:
        if frame.id not in self._maps:
            while len(self._maps) >= _HELD:
                self._maps.pop(next(iter(self._maps)))
            self._maps[frame.id] = self._maker.maps(frame)
        return self._maps[frame.id]


def _center_at(thing: SceneObject, frame: Frame) -> tuple[float, float]:
    pixel, _ = frame.camera.project(transform_points(invert_rigid(frame.T_world_cam), thing.center[None]))
    return float(pixel[0, 0]) / frame.camera.width * 1000, float(pixel[0, 1]) / frame.camera.height * 1000


def _gap(a: Sequence[float], b: Sequence[float]) -> float:
    gap = float(np.hypot(a[0] - b[0], a[1] - b[1]))
    return gap if np.isfinite(gap) else float("inf")


def projected_box(thing: SceneObject, frame: Frame) -> Box | None:
    """Around the corners of an object's box, cut at the image border, 0 to 1000; None where a corner is behind."""
    corners = transform_points(invert_rigid(frame.T_world_cam), thing.box.corners())
    if (corners[:, 2] < 0.05).any():
        return None
    pixels, _ = frame.camera.project(corners)
    low = np.clip(pixels.min(0) / (frame.camera.width, frame.camera.height), 0, 1) * 1000
    high = np.clip(pixels.max(0) / (frame.camera.width, frame.camera.height), 0, 1) * 1000
    return None if (high - low).min() <= 0 else (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Shared area over joint area of two boxes x0, y0, x1, y1."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, across) * max(0.0, down)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / total if total > 0 else 0.0
