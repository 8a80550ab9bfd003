"""The user's own masks as detections: a folder of id images, or one JSON file of run lengths. Formats: docs/objects.md.

    masks/000000.png      8 or 16 bit, as large as the picture (or smaller by one factor), 0: nothing, else an id
    masks/000010.png      a frame without a file was not looked at
    masks/labels.json     {"1": "chair", "2": "table"}; ids without a label are called "object"

    masks.json            [{"frame_id": "000000", "label": "chair", "score": 0.9, "track": 3,
                            "segmentation": {"size": [480, 640], "counts": "..."}}, ...]

Masks are read when a frame's turn comes, so any number of frames fits into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from spaceland.errors import SceneError
from spaceland.files import read_image, read_json
from spaceland.objects.find import find_objects
from spaceland.objects.lift import LiftConfig
from spaceland.objects.masks_rle import decode_rle
from spaceland.objects.merge_config import MergeConfig
from spaceland.objects.simulate import detections_of_ids
from spaceland.objects.types import Detection, Found, Progress
from spaceland.scenes.folder_write import check_file_name
from spaceland.scenes.scene import Frame, Scene, normalise_label

_SUFFIXES = (".png",)
_MAX_ID = 65535


def _own_masks() -> LiftConfig:
    """What a user has marked is kept, even when it is marked in one frame only."""
    return LiftConfig(merge=MergeConfig(min_views=1))


def mask_finder(path: Path) -> MaskFolderFinder | MaskFileFinder:
    """The finder for a folder of id images, or for a JSON file of run lengths."""
    return MaskFolderFinder(path) if path.is_dir() else MaskFileFinder(path)


@dataclass(frozen=True, eq=False)
class MaskFolderFinder:
    """Objects from a folder with one PNG of ids for each frame.

    With `same_ids` an id names one thing in all frames, and is the object's id; without, ids count within their frame
    and things are found by where they are. `config.merge.trust_tracks` is set accordingly.
    """

    folder: Path
    same_ids: bool = True
    config: LiftConfig = field(default_factory=_own_masks)
    name: str = "mask folder"

    def find(self, scene: Scene, progress: Progress | None = None) -> Found:
        """Find the objects.

        Raises:
            SceneError: an image is broken or has another shape than its frame's picture, none belongs to a frame, or
                the scene has neither depth nor a surface.
        """
        folder = Path(self.folder)
        if not folder.is_dir():
            raise SceneError(f"no folder of masks: {folder}")
        paths = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES}
        if not paths:
            raise SceneError(f"{folder} holds no PNG; expected one image of ids for each frame, such as 000000.png")
        known = _known_frames(scene, set(paths), str(folder))
        labels = read_id_labels(folder / "labels.json") if (folder / "labels.json").exists() else {}

        def load(frame: Frame) -> list[Detection]:
            return detections_of_ids(read_id_image(paths[frame.id], frame), labels, frame, tracks=self.same_ids)

        detections = LazyDetections(scene, known, load)
        config = replace(self.config, merge=replace(self.config.merge, trust_tracks=self.same_ids))
        found = find_objects(scene, detections, config, self.name, progress=progress)
        return _counted(found, len(paths) - len(known))


@dataclass(frozen=True, eq=False)
class MaskFileFinder:
    """Objects from a JSON file of COCO run lengths. `track` is optional and joins masks of one thing over frames."""

    path: Path
    config: LiftConfig = field(default_factory=_own_masks)
    name: str = "mask file"

    def find(self, scene: Scene, progress: Progress | None = None) -> Found:
        """Find the objects.

        Raises:
            SceneError: the file is no such list, a mask is broken or has another shape than its frame's picture, none
                belongs to a frame, or the scene has neither depth nor a surface.
        """
        by_frame = read_mask_entries(Path(self.path))
        known = _known_frames(scene, set(by_frame), str(self.path))

        def load(frame: Frame) -> list[Detection]:
            return [_detection(entry, frame, f"{self.path}: entry {number}") for number, entry in by_frame[frame.id]]

        detections = LazyDetections(scene, known, load)
        found = find_objects(scene, detections, self.config, self.name, progress=progress)
        return _counted(found, len(by_frame) - len(known))


class LazyDetections(Mapping[str, list[Detection]]):
    """Detections of frames that are loaded each time they are asked for."""

    def __init__(self, scene: Scene, frame_ids: list[str], load: Callable[[Frame], list[Detection]]) -> None:
        self._scene, self._frame_ids, self._load = scene, frame_ids, load

    def __getitem__(self, frame_id: str) -> list[Detection]:
        if frame_id not in self._frame_ids:
            raise KeyError(frame_id)
        return self._load(self._scene.frames_by_id[frame_id])

    def __contains__(self, frame_id: object) -> bool:
        return frame_id in self._frame_ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._frame_ids)

    def __len__(self) -> int:
        return len(self._frame_ids)


def read_id_image(path: Path, frame: Frame) -> Int[np.ndarray, "h w"]:
    """A map of ids, int32, -1 where the image says 0.

    Raises:
        SceneError: it is broken, in colour, or of another shape than the frame's picture.
    """
    check_file_name(path.name)
    image = read_image(path)
    if image.ndim != 2 or image.dtype.kind not in "ui" or image.min(initial=0) < 0 or image.max(initial=0) > _MAX_ID:
        raise SceneError(
            f"{path} holds {image.dtype} values of shape {image.shape}; expected one channel of 8 or 16 bit with an id "
            "in each pixel (0: nothing)"
        )
    _check_shape(image.shape[1], image.shape[0], frame, str(path))
    ids = image.astype(np.int32)
    return np.where(ids > 0, ids, -1)


def read_id_labels(path: Path) -> dict[int, str]:
    """Labels of ids from {"1": "chair", ...}.

    Raises:
        SceneError: it is no such object.
    """
    content = read_json(path)
    try:
        if not isinstance(content, dict) or not all(isinstance(label, str) for label in content.values()):
            raise ValueError
        labels = {int(key): normalise_label(label) or "object" for key, label in content.items()}
        if any(not 0 < key <= _MAX_ID for key in labels):
            raise ValueError
    except ValueError:
        raise SceneError(
            f'{path}: expected {{"1": "chair", ...}} with ids from 1 to {_MAX_ID} and labels as text'
        ) from None
    return labels


def read_mask_entries(path: Path) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Entries of a mask file with their number, by frame; masks are not decoded yet.

    Raises:
        SceneError: it is no list of entries, or one lacks something.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise SceneError(f"{path}: expected a list of masks, found {type(content).__name__}")
    by_frame: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for number, entry in enumerate(content):
        problem = _entry_problem(entry)
        if problem:
            raise SceneError(f"{path}: entry {number}: {problem}")
        by_frame.setdefault(entry["frame_id"], []).append((number, entry))
    return by_frame


def _entry_problem(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return f"expected an object, found {type(entry).__name__}"
    missing = sorted({"frame_id", "label", "segmentation"} - set(entry))
    if missing:
        return f"{', '.join(missing)} missing"
    if not isinstance(entry["frame_id"], str) or not isinstance(entry["label"], str):
        return "frame_id and label must be texts"
    score = entry.get("score", 1.0)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return f"score {str(score)[:20]} is not a number from 0 to 1"
    track = entry.get("track", -1)
    if type(track) is not int or not -1 <= track < 1 << 31:
        return f"track {str(track)[:20]} is not a whole number"
    return None


def _detection(entry: dict[str, Any], frame: Frame, where: str) -> Detection:
    mask = decode_rle(entry["segmentation"], where)
    height, width = mask.shape
    _check_shape(width, height, frame, where)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (0.0, 0.0, 0.0, 0.0)
    if len(rows):
        wide, high = frame.camera.width / width, frame.camera.height / height
        ends = (columns[0] * wide, rows[0] * high, (columns[-1] + 1) * wide, (rows[-1] + 1) * high)
        box = (float(ends[0]), float(ends[1]), float(ends[2]), float(ends[3]))
    return Detection(entry["label"], float(entry.get("score", 1.0)), box, mask, int(entry.get("track", -1)))


def _check_shape(width: int, height: int, frame: Frame, where: str) -> None:
    """Refuse masks of another shape than the picture: they may be any factor smaller or larger, up to a pixel."""
    camera = frame.camera
    if abs(width * camera.height - height * camera.width) > max(camera.width, camera.height):
        raise SceneError(
            f"{where} is {width}x{height}, but the picture of frame {frame.id} is {camera.width}x{camera.height}; "
            "masks must show the same field of view, at the same size or scaled by one factor"
        )


def _known_frames(scene: Scene, named: set[str], where: str) -> list[str]:
    """Ids of the frames that have a mask, in order; masks of other frames (of a recording that was thinned) are none.

    Raises:
        SceneError: no mask belongs to any frame of the scene.
    """
    known = sorted(named & set(scene.frames_by_id))
    if named and not known:
        first = f"such as {scene.frames[0].id!r}" if scene.frames else "none at all"
        raise SceneError(
            f"{where}: {len(named)} masks belong to no frame of scene {scene.id} ({', '.join(sorted(named)[:3])}); "
            f"its {len(scene.frames)} frames have ids {first}"
        )
    return known


def _counted(found: Found, unknown: int) -> Found:
    """The objects with a count of the masks that belong to no frame."""
    return Found(found.objects, {**found.report, "masks_of_other_frames": unknown})
