"""All checks of one row against its scene.

The order matters: types, then frames, images and objects, and only when those hold the answer and the marks. A row can
have several things wrong with it; each group of checks reports its first one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from spaceland.errors import SceneError
from spaceland.scenes.scene import Scene
from spaceland.verify import solvers
from spaceland.verify.evidence import Evidence
from spaceland.verify.marks import check_mark_roles, check_marks
from spaceland.verify.rows import Row, Wrong, read_row, real, shown
from spaceland.verify.rules import COUNTS
from spaceland.verify.tasks import check_answer

CENTER_M = 1e-3
"""How far a stored centre may be from the scene's."""
ANGLE_DEG = 0.02
"""How far a stored camera angle may be from the scene's."""
_ASPECT = 0.02
_NUM_FRAMES = {"single": (1,), "pair": (2,), "multi": (2, 3)}


def _or(numbers: tuple[int, ...]) -> str:
    return " or ".join(map(str, numbers))


class SceneChecker:
    """Checks rows of one scene. `skipped` counts by reason what could not be tested.

    Args:
        scene: The scene, opened from its source.
        root: Dataset folder in which the images must lie; None leaves images out.
        config: `config` of the dataset's info.json, for thresholds and visibility width; None leaves them out.
        part: The part of a mixture that the rows belong to, which their ids begin with.
    """

    def __init__(
        self, scene: Scene, root: Path | None = None, config: Mapping[str, Any] | None = None, part: str = ""
    ) -> None:
        self._scene, self._root, self._part = scene, root, part
        policy = (config or {}).get("policy")
        self._policy = policy if isinstance(policy, dict) else None
        visibility = (config or {}).get("visibility")
        width = visibility.get("width_px") if isinstance(visibility, dict) else None
        self._evidence = Evidence(scene, width if isinstance(width, int) and width > 0 else 320)
        conventions = (config or {}).get("conventions")
        self._chosen_frames = isinstance(conventions, dict) and conventions.get("video_frames") == "coverage"
        self._frame_places = {frame.id: k for k, frame in enumerate(scene.frames)}
        self._image_problems: dict[tuple[str, str], str | None] = {}
        self.skipped: Counter[str] = Counter()

    def problems(self, data: object) -> list[str]:
        """What is wrong with a row, in words; nothing when everything holds."""
        try:
            row = read_row(data, self._part)
            self._check_frames(row)
            self._check_objects(row)
            check_mark_roles(row)
        except Wrong as wrong:
            return [str(wrong)]
        found = []
        for check in (self._check_images, self._check_cameras, self._check_answer, self._check_marks):
            try:
                check(row)
            except Wrong as wrong:
                if str(wrong) not in found:
                    found.append(str(wrong))
            except SceneError as error:
                found.append(f"the scene cannot be read: {error}")
        return found

    def _check_frames(self, row: Row) -> None:
        if row.scene != self._scene.id:
            raise Wrong(f"scene is {shown(row.scene)}, expected {shown(self._scene.id)}")
        frames = self._scene.frames
        unknown = [frame_id for frame_id in row.frames if frame_id not in self._scene.frames_by_id]
        if unknown:
            raise Wrong(f"frame {shown(unknown[0])} is not in the scene")
        if len(row.images) != len(row.frames):
            raise Wrong(f"{len(row.images)} images for {len(row.frames)} frames")
        allowed = _NUM_FRAMES.get(row.rules.views)
        if allowed is not None:
            if len(row.frames) not in allowed or len(set(row.frames)) != len(row.frames):
                raise Wrong(f"facts.frames are {shown(list(row.frames))}, expected {_or(allowed)} different ones")
            return
        n = len(row.frames)
        if self._chosen_frames or row.rules.views == "window":
            places = [self._frame_places[frame_id] for frame_id in row.frames]
            if places != sorted(set(places)):
                raise Wrong("the frames of the video are not in their order")
            return
        expected = [frames[k * len(frames) // n].id for k in range(n)]
        if list(row.frames) != expected:
            raise Wrong(f"the {n} frames are not spread evenly over the {len(frames)} of the scene")

    def _check_objects(self, row: Row) -> None:
        roles = row.rules.roles
        if row.task not in COUNTS and not row.rules.open_roles and sorted(row.objects) != sorted(roles):
            raise Wrong(
                f"facts.objects has the roles {shown(sorted(row.objects))}, expected {', '.join(roles) or 'none'}"
            )
        if len(set(row.objects.values())) != len(row.objects):
            raise Wrong("two roles have the same object")
        labelled = {"counted"} if row.task in COUNTS else set(row.objects if row.rules.open_roles else roles)
        if set(row.labels) != labelled:
            raise Wrong(f"facts.labels names {shown(sorted(row.labels))}, expected {shown(sorted(labelled))}")
        if set(row.centers) != set(row.objects):
            raise Wrong("facts.centers_world_m and facts.objects name different roles")
        for role, object_id in row.objects.items():
            thing = self._scene.objects_by_id.get(object_id)
            if thing is None:
                raise Wrong(f"object {object_id} is not in the scene")
            label = row.labels["counted" if row.task in COUNTS else role]
            if thing.label != label:
                raise Wrong(f"label of {role} is {shown(label)}, object {object_id} is labelled {shown(thing.label)}")
            shift = solvers.distance_m(np.array(row.centers[role]), np.asarray(thing.center, dtype=float))
            if shift > CENTER_M:
                raise Wrong(
                    f"centre of {role} is stored {shift:.3f} m away from that of object {object_id} in the scene"
                )

    def _check_images(self, row: Row) -> None:
        for path, frame_id in zip(row.images, row.frames, strict=True):
            key = path, frame_id
            if key not in self._image_problems:
                self._image_problems[key] = self._image_problem(path, frame_id)
            problem = self._image_problems[key]
            if problem:
                raise Wrong(problem)

    def _image_problem(self, path: str, frame_id: str) -> str | None:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
            return f"image {shown(path)} leaves the dataset folder"
        if parts.stem != frame_id or parts.parent.name != self._scene.id:
            return f"image {shown(path)} is not named after scene and frame {shown(frame_id)}"
        if self._root is None:
            return None
        try:
            file = (self._root / parts).resolve()
            if not file.is_relative_to(self._root.resolve()):
                return f"image {shown(path)} leaves the dataset folder"
            with Image.open(file) as image:
                width, height = image.size
        except FileNotFoundError:
            return f"image {shown(path)} is missing"
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            return f"image {shown(path)} cannot be read ({shown(str(error))})"
        camera = self._scene.frames_by_id[frame_id].camera
        if abs(width * camera.height / (height * camera.width) - 1) > _ASPECT:
            return f"image {shown(path)} is {width}x{height}, the frame is {camera.width}x{camera.height}"
        return None

    def _check_cameras(self, row: Row) -> None:
        """Cameras stored for top views; rows of few frames have one for each."""
        if len(row.cameras) != (len(row.frames) if len(row.frames) <= 3 else 0):
            raise Wrong(f"facts.cameras has {len(row.cameras)} entries for {len(row.frames)} frames")
        for stored, frame_id in zip(row.cameras, row.frames, strict=False):
            frame = self._scene.frames_by_id[frame_id]
            heading, elevation, _ = solvers.angles_deg(frame)
            view = 2 * np.degrees(np.arctan(frame.camera.width / (2 * frame.camera.fx)))
            place = [real(stored.get(axis), f"camera {axis}") for axis in "xyz"]
            if solvers.distance_m(np.array(place), np.asarray(frame.T_world_cam, dtype=float)[:3, 3]) > CENTER_M:
                raise Wrong(f"the camera of frame {frame_id} is stored elsewhere than in the scene")
            for name, angle in (("heading_deg", heading), ("elevation_deg", elevation), ("horizontal_fov_deg", view)):
                if abs(solvers.wrap_deg(real(stored.get(name), name) - float(angle))) > ANGLE_DEG:
                    raise Wrong(f"{name} of frame {frame_id} is {stored[name]}, derived {angle:.2f}")

    def _check_answer(self, row: Row) -> None:
        check_answer(row, self._scene, self._policy)

    def _check_marks(self, row: Row) -> None:
        check_marks(row, self._scene, self._evidence, self.skipped)
