"""A folder of marked views, read back: what `spaceland mark` wrote, or somebody else in the same form.

`objects.json` is checked on the way in: numbers are finite, names of pictures stay inside the folder.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.geometry.boxes import OrientedBox
from spaceland.prompts.bevmap import ViewMap, map_from_json
from spaceland.scenes.scene import normalise_label

_FRAME_FILE = re.compile(r"frames/[^/\\]+\.(jpg|png)")
_MAX_NUMBER = 999_999


@dataclass(frozen=True, eq=False)
class MarkedObject:
    """One numbered object: box in world metres, and pixel (u, v) of its disc in each frame that has one.

    `score` says how sure the finder of the object is (0 to 1); None where it is annotated, or the folder is older.
    """

    id: int
    mark: int
    label: str
    box: OrientedBox
    frame_px: Mapping[str, tuple[float, float]]
    bev_px: tuple[float, float] | None
    score: float | None = None


@dataclass(frozen=True, eq=False)
class MarkedFrame:
    """A frame's picture and camera; `intrinsics` are fx, fy, cx, cy in pixels."""

    id: str
    path: Path
    width: int
    height: int
    intrinsics: tuple[float, float, float, float]
    T_world_cam: Float[np.ndarray, "4 4"]


@dataclass(frozen=True, eq=False)
class MarkedView:
    """The bird's-eye view; the strip below `view_height` shows the scale bar, not the room."""

    path: Path
    width: int
    height: int
    view_height: int
    map: ViewMap
    bar_length_m: float | None
    cropped: bool
    """It shows a part of the room."""
    filled: bool
    """Small holes were filled."""
    grid_m: float | None
    camera_path: bool


@dataclass(frozen=True, eq=False)
class MarkedFolder:
    """Everything that a question about the scene needs; `view` is None where the scene was marked without one.

    `lines_on_frames`: on some frame a number stands beside its object, with a line to it. `settings` are those that it
    was made with, as `MarkConfig` names them; empty where the folder does not say.
    """

    folder: Path
    scene: str
    geometry: str
    scale_known: bool
    style: str
    view: MarkedView | None
    frames: tuple[MarkedFrame, ...]
    objects: tuple[MarkedObject, ...]
    floor_z_m: float
    lines_on_frames: bool
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bev(self) -> MarkedView:
        """The bird's-eye view.

        Raises:
            SceneError: the scene was marked without one.
        """
        if self.view is None:
            raise SceneError(f"{self.folder} was marked without a bird's-eye view; run spaceland mark again with one")
        return self.view

    @cached_property
    def by_mark(self) -> dict[int, MarkedObject]:
        return {thing.mark: thing for thing in self.objects}

    @property
    def labels(self) -> dict[int, str]:
        """Number -> label."""
        return {thing.mark: thing.label for thing in self.objects}


def is_marked_folder(path: Path) -> bool:
    """Whether `path` looks like the output of `spaceland mark`, with or without a bird's-eye view."""
    return (path / "objects.json").is_file() and any((path / name).is_file() for name in ("bev.png", "prompt.json"))


def read_marked(folder: Path) -> MarkedFolder:
    """Read `objects.json` of a folder of marked views; pictures are opened later.

    Raises:
        SceneError: it is missing, or something in it makes no sense.
    """
    return marked_of_record(folder, read_json(folder / "objects.json"))


def marked_of_record(folder: Path, data: Mapping[str, Any]) -> MarkedFolder:
    """The same of what `objects.json` of a folder holds.

    Raises:
        SceneError: something in it makes no sense.
    """
    try:
        return _folder(folder, data)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SceneError(
            f"{folder / 'objects.json'} is not what spaceland mark writes ({type(error).__name__}: {error}); "
            "run spaceland mark again"
        ) from error


def _folder(folder: Path, data: Mapping[str, Any]) -> MarkedFolder:
    bev = data["bev"]
    settings = dict(data.get("config") or {})
    objects = tuple(_object(entry) for entry in data["objects"])
    marks = [thing.mark for thing in objects]
    if len(set(marks)) != len(marks):
        raise ValueError("two objects carry the same number")
    return MarkedFolder(
        folder=folder,
        scene=str(data["scene"]),
        geometry=str(data["geometry"]),
        scale_known=bool(data.get("scale_known", True)),
        style=str(settings.get("style", "gpt4scene")),
        view=None if bev is None else _view(folder, bev, settings.get("bev") or {}),
        frames=tuple(_frame(folder, entry) for entry in data["frames"]),
        objects=objects,
        floor_z_m=_number(data.get("floor_z_m", (bev or {}).get("floor_z_m", 0.0))),
        lines_on_frames=any(place.get("leader_to") for entry in data["objects"] for place in entry["frames"]),
        settings=settings,
    )


def _view(folder: Path, bev: Mapping[str, Any], config: Mapping[str, Any]) -> MarkedView:
    bar, grid_m = bev.get("scale_bar"), config.get("grid_m")
    return MarkedView(
        path=folder / "bev.png",
        width=_whole(bev["width"]),
        height=_whole(bev["height"]),
        view_height=_whole(bev.get("view_height", bev["height"])),
        map=_map(bev),
        bar_length_m=_number(bar["length_m"]) if bar else None,
        cropped=bool(config.get("crop_m") or config.get("crop_to")),
        filled=bool((bev.get("holes") or {}).get("filled")),
        grid_m=None if grid_m is None else _number(grid_m),
        camera_path=bool(config.get("camera_path")),
    )


def _object(entry: Mapping[str, Any]) -> MarkedObject:
    mark = _whole(entry["mark"])
    if mark > _MAX_NUMBER:
        raise ValueError(f"number {mark} is too large")
    rotation = np.array([_numbers(row, 3) for row in entry["rotation"]])
    if rotation.shape != (3, 3) or np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3:
        raise ValueError(f"the rotation of object {mark} is none")
    size = np.array(_numbers(entry["size_m"], 3))
    if (size < 0).any():
        raise ValueError(f"the size of object {mark} is negative")
    bev_px, score = entry.get("bev_pixel"), entry.get("score")
    return MarkedObject(
        id=_whole(entry["id"]),
        mark=mark,
        label=normalise_label(str(entry["label"])),
        box=OrientedBox(np.array(_numbers(entry["center_m"], 3)), size, rotation),
        frame_px={str(place["frame"]): _pair(place["pixel"]) for place in entry["frames"]},
        bev_px=_pair(bev_px) if bev_px is not None else None,
        score=None if score is None else _number(score),
    )


def _frame(folder: Path, entry: Mapping[str, Any]) -> MarkedFrame:
    if not _FRAME_FILE.fullmatch(entry["image"]):
        raise ValueError(f"picture '{entry['image']}' is not in frames/")
    fx, fy, cx, cy = _numbers(entry["intrinsics"], 4)
    pose = np.array([_numbers(row, 4) for row in entry["T_world_cam"]])
    if pose.shape != (4, 4) or fx <= 0 or fy <= 0:
        raise ValueError(f"the camera of frame {entry['id']} is none")
    return MarkedFrame(
        id=str(entry["id"]),
        path=folder / entry["image"],
        width=_whole(entry["width"]),
        height=_whole(entry["height"]),
        intrinsics=(fx, fy, cx, cy),
        T_world_cam=pose,
    )


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no finite number")
    return number


def _numbers(values: Any, count: int) -> list[float]:
    if len(values) != count:
        raise ValueError(f"{len(values)} numbers instead of {count}")
    return [_number(value) for value in values]


def _pair(values: Any) -> tuple[float, float]:
    u, v = _numbers(values, 2)
    return u, v


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no whole number of at least 0")
    return value


def _map(bev: Mapping[str, Any]) -> ViewMap:
    view = map_from_json(dict(bev))
    probe = view.world_to_pixel(np.zeros(2))
    if not (np.isfinite(probe).all() and 0 < view.metres_per_px < math.inf):
        raise ValueError(f"the view's map has a scale of {view.metres_per_px} metres per pixel")
    return view
