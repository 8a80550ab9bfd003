"""The views of a scene that may be asked about, and what all tasks look up about the scene; worked out once.

`SceneViews` is shared by all tasks: `views.askable("frame_3")` are the views of that frame that show their object
clearly under the ambiguity policy, `views.naming_problem("table")` is "label is much like another one" beside a coffee
table.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import pdist

from spaceland.geometry.box_relations import Boxes, box_distance
from spaceland.geometry.stray import stray_share
from spaceland.questions.policy import AmbiguityPolicy
from spaceland.questions.rejections import Rejections
from spaceland.questions.video import coverage_frames
from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.visibility.types import ObjectView, SceneVisibility

if TYPE_CHECKING:
    from spaceland.questions.facts import TaskContext
    from spaceland.questions.viewsets import Links

# Which number of a view a rule looks at.
_MEASURES = {
    "too small in the image": "visible_px",
    "hidden by something": "occluded",
    "picture and scan differ there": "contradicted",
    "cut off by the image border": "truncated",
    "too little of it visible": "visible_fraction",
    "too thin for a mark": "anchor_clearance_px",
    "too near or too far": "center_depth_m",
}
CONFUSED = "label easily confused with its neighbour's"
_MAX_SPANNED = 400
"""Of longer captures so many cameras are looked at to see how far the room reaches."""


class SceneViews:
    """A scene with its visibility and the views that may be asked about; shared by all tasks."""

    def __init__(self, scene: Scene, visibility: SceneVisibility, policy: AmbiguityPolicy) -> None:
        self.scene, self.visibility, self.policy = scene, visibility, policy
        self.rejected = Rejections()
        self._askable: dict[str, list[ObjectView]] = {}
        self._pickable: dict[str, list[ObjectView]] = {}
        self._best: dict[tuple[str, ...], dict[int, ObjectView]] = {}
        self._coverage: dict[int, tuple[Frame, ...]] = {}
        self.camera_places: dict[str, dict[str, float]] = {}
        """What rows tell of cameras, by frame id; worked out once."""
        self.told_centers: dict[int, list[float]] = {}
        """What rows tell of objects, by id."""
        self._from_observer: dict[tuple[str, str], dict[int, float]] = {}
        self._clear_in: dict[str, frozenset[int]] = {}
        self._things_in: dict[tuple[str, frozenset[str]], frozenset[int]] = {}
        self._stray: dict[int, float] = {}
        self.usual: dict[str, list[float]] = {}
        """What is usual here, by kind of number; see `likely_numbers`."""
        self._links: Links | None = None
        self._naming: dict[str, str] = {}
        self._excluded = frozenset(policy.excluded_labels)

    @property
    def rejections(self) -> Counter[str]:
        """How many single views were turned down, by reason."""
        return self.rejected.counts

    @cached_property
    def frame_index(self) -> dict[str, int]:
        return {frame.id: index for index, frame in enumerate(self.scene.frames)}

    def naming_problem(self, label: str) -> str:
        """Why a label does not tell which thing is meant, as the reason of a rejection; "" where it does.

        Exactly one object must have the label, and no other label end in it: beside a "coffee table" (or an "armchair")
        there may be a single "table" (or "chair"), yet either can be meant. The longer one of the two labels is clear.
        """
        if label not in self._naming:
            labels = self.scene.label_counts
            if labels[label] != 1:
                self._naming[label] = "label is not unique"
            elif self.has_rival(label):
                self._naming[label] = "label is much like another one"
            else:
                self._naming[label] = ""
        return self._naming[label]

    def has_rival(self, label: str) -> bool:
        """Whether things of another label may be called so, too: "table" next to a "coffee table"."""
        return any(other != label and other.endswith(label) for other in self.scene.label_counts)

    def is_excluded(self, thing: SceneObject) -> bool:
        """Whether the policy leaves this label out."""
        return thing.label in self._excluded

    def askable(self, frame_id: str) -> list[ObjectView]:
        """Views of a frame that show their object clearly; the others are counted once under their reason."""
        if frame_id not in self._askable:
            good = []
            for view in self.visibility.in_frame(frame_id):
                reason = self._view_problem(self.scene.frames_by_id[frame_id], view)
                if reason:
                    measured = _MEASURES.get(reason)
                    value = None if measured is None else getattr(view, measured)
                    self.rejected.add(reason, (frame_id,), (view.object_id,), value)
                else:
                    good.append(view)
            self._askable[frame_id] = good
        return self._askable[frame_id]

    @cached_property
    def confused(self) -> frozenset[int]:
        """Ids of objects whose label is easily confused with that of another one which they touch."""
        found: set[int] = set()
        for group in self.policy.confused_labels:
            labels = {label.strip() for label in group.split(",")} & self.scene.label_counts.keys()
            if len(labels) < 2:
                continue
            things = [thing for thing in self.scene.objects if thing.label in labels]
            for k, thing in enumerate(things):
                for other in things[:k]:
                    if thing.label != other.label and not found >= {thing.id, other.id}:
                        touches = self.surface_distance_m(thing.id, other.id) < self.policy.max_touching_m
                        found |= {thing.id, other.id} if touches else set()
        return frozenset(found)

    def pickable(self, frame_id: str) -> list[ObjectView]:
        """The askable views of a frame but for objects in `confused`; those are counted once under their reason."""
        if frame_id not in self._pickable:
            views = self.askable(frame_id)
            good = [view for view in views if view.object_id not in self.confused] if self.confused else views
            for view in views if len(good) < len(views) else ():
                if view.object_id in self.confused:
                    self.rejected.add(CONFUSED, (frame_id,), (view.object_id,))
            self._pickable[frame_id] = good
        return self._pickable[frame_id]

    def clear_in(self, frame_id: str) -> frozenset[int]:
        """Ids of the objects that a frame shows clearly."""
        if frame_id not in self._clear_in:
            self._clear_in[frame_id] = frozenset(view.object_id for view in self.askable(frame_id))
        return self._clear_in[frame_id]

    def askable_view(self, frame_id: str, object_id: int) -> ObjectView | None:
        """The view of one object in one frame, if it may be asked about."""
        return next((view for view in self.askable(frame_id) if view.object_id == object_id), None)

    @cached_property
    def _surface_distances(self) -> tuple[dict[int, int], np.ndarray]:
        things = self.scene.objects
        matrix = np.zeros((len(things), len(things)))
        rows, columns = np.triu_indices(len(things), 1)
        if len(rows):
            boxes = Boxes.stack([thing.box for thing in things])
            matrix[rows, columns] = matrix[columns, rows] = box_distance(boxes[rows], boxes[columns])
        return {thing.id: k for k, thing in enumerate(things)}, matrix

    def surface_distance_m(self, a: int, b: int) -> float:
        """Least distance between the solid boxes of two objects."""
        index, matrix = self._surface_distances
        return float(matrix[index[a], index[b]])

    def observer_distances_m(self, frame: Frame, measure: str) -> dict[int, float]:
        """Distance of every object from a frame's camera: its "center", or its solid box ("surface")."""
        key = frame.id, measure
        if key not in self._from_observer:
            things = self.scene.objects
            centers = np.array([thing.center for thing in things]).reshape(-1, 3)
            offset = centers - frame.T_world_cam[:3, 3]
            if measure == "surface":
                local = np.einsum("ki,kij->kj", offset, np.array([thing.box.rotation for thing in things]))
                offset = np.maximum(np.abs(local) - np.array([thing.box.size for thing in things]) / 2, 0.0)
            far = np.sqrt((offset**2).sum(-1)).tolist()
            self._from_observer[key] = {thing.id: far[k] for k, thing in enumerate(things)}
        return self._from_observer[key]

    def things_in(self, frame_id: str, without: frozenset[str]) -> frozenset[int]:
        """Ids of everything that a frame shows, clear or not, but for some labels."""
        key = frame_id, without
        if key not in self._things_in:
            views = self.visibility.in_frame(frame_id)
            things = self.scene.objects_by_id
            self._things_in[key] = frozenset(v.object_id for v in views if things[v.object_id].label not in without)
        return self._things_in[key]

    def stray_share(self, object_id: int) -> float:
        """By which share an object's box shrinks without its outermost points; made rooms have no stray ones."""
        if self.scene.geometry == "generated":
            return 0.0
        if object_id not in self._stray:
            thing = self.scene.objects_by_id[object_id]
            self._stray[object_id] = stray_share(thing.box, thing.points)
        return self._stray[object_id]

    @cached_property
    def span_m(self) -> float:
        """The greatest distance between any two of the scene's objects and cameras: nothing asked for is larger."""
        step = max(1, -(-len(self.scene.frames) // _MAX_SPANNED))
        places = [frame.T_world_cam[:3, 3] for frame in self.scene.frames[::step]]
        places += [thing.center for thing in self.scene.objects]
        return float(pdist(np.array(places)).max()) if len(places) > 1 else 0.0

    def best_in(self, frame_ids: tuple[str, ...]) -> dict[int, ObjectView]:
        """The largest askable view of every object among some frames, by object id."""
        if frame_ids not in self._best:
            best: dict[int, ObjectView] = {}
            for frame_id in frame_ids:
                for view in self.askable(frame_id):
                    known = best.get(view.object_id)
                    if known is None or view.visible_px > known.visible_px:
                        best[view.object_id] = view
            self._best[frame_ids] = dict(sorted(best.items()))
        return self._best[frame_ids]

    def coverage_frames(self, count: int) -> tuple[Frame, ...]:
        """The frames that see as much as possible; the same for every task."""
        if count not in self._coverage:
            self._coverage[count] = coverage_frames(self.scene.frames, self.visibility.overlap, count)
        return self._coverage[count]

    def links(self, context: TaskContext) -> Links:
        """Which frames go together; the same for every task."""
        if self._links is None:
            from spaceland.questions.viewsets import Links

            self._links = Links(context)
        return self._links

    def _view_problem(self, frame: Frame, view: ObjectView) -> str | None:
        policy, camera = self.policy, frame.camera
        if self.is_excluded(self.scene.objects_by_id[view.object_id]):
            return "excluded label"
        if view.visible_px < policy.min_area_share * camera.width * camera.height:
            return "too small in the image"
        if view.occluded > policy.max_occluded:
            return "hidden by something"
        if view.contradicted > policy.max_contradicted:
            return "picture and scan differ there"
        if view.truncated > policy.max_truncated:
            return "cut off by the image border"
        if view.visible_fraction < policy.min_visible_fraction:
            return "too little of it visible"
        if view.anchor_clearance_px < policy.min_clearance_share * camera.width:
            return "too thin for a mark"
        if not policy.min_depth_m <= view.center_depth_m <= policy.max_depth_m:
            return "too near or too far"
        if not camera.contains(np.array(view.center_px)):
            return "centre outside the image"
        return None
