"""`embodiedscan:PATH`: EmbodiedScan's boxes and poses over pictures of other datasets. PATH is a .pkl, or its folder.

    embodiedscan_infos_train.pkl, _val.pkl, _test.pkl
    scannet/posed_images/scene0000_00/00000.jpg, 00000.png        and so on: the datasets that the paths name

The folder of the images is that of the .pkl, unless `images=PATH` says otherwise. A file is a dict:

    metainfo: {categories: {name: number}, ...}
    data_list: [{sample_idx: 'scannet/scene0000_00' (or '3rscan/<id>', 'matterport3d/<scan>/<region>', ...),
                 axis_align_matrix, cam2img, depth_cam2img,                       4x4; of the sample where all share one
                 images: [{img_path, depth_path, cam2global, cam2img?, visible_instance_ids}],
                 instances: [{bbox_3d: 9 numbers, bbox_label_3d, bbox_id}]}]

Ids have `_` for `/`: `scannet_scene0000_00`. Boxes are in the aligned world: centre, full size, and Euler angles "ZXY"
in radians, which turn about the box's own axes: `R = Rz(a) @ Rx(b) @ Ry(c)`. `T_world_cam = axis_align_matrix @
cam2global`. Depth counts 1000 to the metre, 4000 for Matterport3D. `visible_instance_ids` are places in `instances`.
The phone of 3RScan was held upright, so its stored pictures lie on their side. `upright=yes` (default) turns them, with
poses and intrinsics; see `turns.py`. Its depth is a PGM, whatever suffix the file of annotations gives it.

The annotation has boxes and no points. `points=depth` (the default) gives each object the depth pixels of up to
`depth_frames` pictures (40) that fall into its box while the annotation calls it visible; a pixel in several boxes
belongs to the smallest, and the lowest 3 cm of a box are left out, where the floor is. `points=box` decodes no image
and lets the box stand for the shape. Pickles are read by `safe_pickle`: data only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError, SourceError
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.choices import choice_option
from spaceland.scenes.embodiedscan_boxes import instance_objects, read_instances
from spaceland.scenes.images import content_key, count_option, image_size, pick, read_color, read_depth
from spaceland.scenes.safe_pickle import load_pickle
from spaceland.scenes.scene import Frame, Scene, make_scene
from spaceland.scenes.sources import check_options
from spaceland.scenes.turns import sky_direction, turned, turns_to_upright

SPLITS = ("train", "val", "test")
POINTS = ("depth", "box")
_DEPTH_SCALES = {"matterport3d": 4000.0}
_NOT_VIDEOS = ("matterport3d",)


@dataclass(frozen=True, eq=False)
class EmbodiedScanSource:
    """Samples by scene id, label names by number, and the folder that image paths start from."""

    samples: dict[str, dict[str, Any]]
    names: dict[int, str]
    images: Path
    points: str = "depth"
    depth_frames: int = 40
    stride: int = 1
    max_frames: int | None = None
    upright: bool = True
    kind: str = "embodiedscan"

    def ids(self) -> Sequence[str]:
        return list(self.samples)

    def open(self, scene_id: str) -> Scene:
        if scene_id not in self.samples:
            raise SourceError(f"embodiedscan: no sample '{scene_id}'; ids look like scannet_scene0000_00")
        return read_sample(self, scene_id)


def recognise(path: Path) -> bool:
    """Whether `path` is an info file or a folder with some."""
    if path.is_file():
        return path.suffix == ".pkl" and path.name.startswith("embodiedscan_infos")
    return bool(_info_files(path, SPLITS))


def open_source(location: str, options: dict[str, str]) -> EmbodiedScanSource:
    """Samples of info files.

    Options: `images=PATH`, `split` (train, val, test; of a folder), `dataset` (the first part of the sample name),
    `points` (depth, box), `depth_frames=N`, `stride=N`, `max_frames=N`, `upright` (yes, no).

    Raises:
        SourceError: no info file or no sample there, or unknown options.
        SceneError: a file is damaged, or holds more than data.
    """
    known = ("images", "split", "dataset", "points", "depth_frames", "stride", "max_frames", "upright")
    check_options("embodiedscan", options, known)
    splits = (choice_option(options, "split", SPLITS, "embodiedscan"),) if "split" in options else SPLITS
    points = choice_option(options, "points", POINTS, "embodiedscan")
    upright = choice_option(options, "upright", ("yes", "no"), "embodiedscan") == "yes"
    counts = {name: count_option(options, name, "embodiedscan") for name in ("depth_frames", "stride", "max_frames")}
    path = Path(location)
    files = [path] if path.is_file() else _info_files(path, splits)
    if not files:
        raise SourceError(
            f"embodiedscan: no embodiedscan_infos_<split>.pkl ({', '.join(splits)}) in '{location}'; "
            "give the file or its folder"
        )
    images = Path(options.get("images", files[0].parent))
    if not images.is_dir():
        raise SourceError(
            f"embodiedscan: '{images}' is not a folder; images= names the folder that holds scannet/ etc."
        )
    samples: dict[str, dict[str, Any]] = {}
    names: dict[int, str] = {}
    for file in files:
        file_names, file_samples = read_infos(file)
        doubled = next(iter(set(file_samples) & set(samples)), None)
        if doubled is not None or any(names.get(number, name) != name for number, name in file_names.items()):
            what = f"both hold {doubled}" if doubled else "number their categories differently"
            raise SourceError(f"embodiedscan: the info files in '{location}' {what}; give one of them")
        samples |= file_samples
        names |= file_names
    wanted = options.get("dataset")
    samples = {k: v for k, v in samples.items() if wanted in (None, str(v["sample_idx"]).split("/")[0])}
    if not samples:
        raise SourceError(f"embodiedscan: no sample of dataset '{wanted}' in '{location}'")
    depth_frames, stride = counts["depth_frames"] or 40, counts["stride"] or 1
    return EmbodiedScanSource(samples, names, images, points, depth_frames, stride, counts["max_frames"], upright)


def read_infos(path: Path) -> tuple[dict[int, str], dict[str, dict[str, Any]]]:
    """Label names by number, and samples by scene id.

    Raises:
        SceneError: damaged, more than data, or in another layout.
    """
    content = load_pickle(path)
    try:
        names = {int(number): str(name) for name, number in content["metainfo"]["categories"].items()}
        samples = {str(sample["sample_idx"]).replace("/", "_"): sample for sample in content["data_list"]}
        if len(samples) < len(content["data_list"]):
            raise ValueError("two samples have one name")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SceneError(
            f"{path}: expected metainfo with categories and data_list with sample_idx "
            f"({type(error).__name__}: {error}); is it an EmbodiedScan info file?"
        ) from error
    return names, samples


def read_sample(source: EmbodiedScanSource, scene_id: str) -> Scene:
    """Read one sample.

    Raises:
        SceneError: an entry is damaged, or none of the images is there. Single missing images are counted.
    """
    sample, skipped = source.samples[scene_id], Counter()
    dataset = str(sample["sample_idx"]).split("/")[0]
    scale = _DEPTH_SCALES.get(dataset, 1000.0)
    try:
        align = _matrix(sample.get("axis_align_matrix", np.eye(4)))
        entries = pick(list(sample["images"]), source.stride, source.max_frames)
        frames, visible = _frames(source.images, sample, entries, align, scale, skipped)
        instances = read_instances(sample.get("instances") or [], source.names, skipped)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SceneError(
            f"sample {sample['sample_idx']} does not follow the layout of EmbodiedScan's info files "
            f"({type(error).__name__}: {error}); download the file again"
        ) from error
    if entries and skipped["frame: no image file"] == len(entries):
        raise SceneError(
            f"sample {sample['sample_idx']}: none of its {len(entries)} images is there, the first is "
            f"{source.images / str(entries[0]['img_path'])}; say where they are with images=PATH"
        )
    if not sample.get("instances"):
        skipped["objects: the file has none for this sample"] += 1
    limit = source.depth_frames if source.points == "depth" else 0
    turns = turns_to_upright([frame.T_world_cam for frame in frames])
    return make_scene(
        id=scene_id,
        frames=[turned(frame, turns) for frame in frames] if source.upright else frames,
        objects=instance_objects(instances, frames, visible, limit, skipped),
        surface=None,
        room=None,
        geometry="measured",
        provenance={
            "kind": "embodiedscan",
            "sample": str(sample["sample_idx"]),
            "stride": source.stride,
            "max_frames": source.max_frames,
            "points": source.points,
            "sky_direction": sky_direction(turns) if frames else None,
            "upright": source.upright,
            "axis_alignment": align.tolist(),
            "is_video": dataset not in _NOT_VIDEOS,
        },
        skipped=+skipped,
    )


def _info_files(path: Path, splits: Sequence[str]) -> list[Path]:
    files = [path / f"embodiedscan_infos_{split}.pkl" for split in splits]
    return [file for file in files if file.is_file()]


def _matrix(values: Any) -> Float[np.ndarray, "4 4"]:
    matrix = np.asarray(values, dtype=float)
    if matrix.shape != (4, 4):
        raise ValueError(f"a matrix has shape {matrix.shape}, expected 4x4")
    return matrix


def _camera(values: Any, size: tuple[int, int]) -> PinholeCamera:
    K = np.asarray(values, dtype=float)
    if K.ndim != 2 or min(K.shape) < 3:
        raise ValueError(f"intrinsics have shape {K.shape}, expected 3x3 or 4x4")
    return PinholeCamera.from_opencv(*size, K)


def _depth_file(root: Path, entry: dict[str, Any]) -> Path | None:
    """The depth image of an entry, if it is there."""
    if not entry.get("depth_path"):
        return None
    path = root / str(entry["depth_path"])
    return next((file for file in (path, path.with_suffix(".pgm")) if file.is_file()), None)


def _frames(
    root: Path,
    sample: dict[str, Any],
    entries: Sequence[dict[str, Any]],
    align: Float[np.ndarray, "4 4"],
    scale: float,
    skipped: Counter[str],
) -> tuple[list[Frame], list[set[int] | None]]:
    """Frames, and for each the places of the instances that it sees (None: not said)."""
    frames, visible = [], []
    size: tuple[int, int] | None = None
    depth_size: tuple[int, int] | None = None
    for entry in entries:
        color = root / str(entry["img_path"])
        if not color.is_file():
            skipped["frame: no image file"] += 1
            continue
        size = size or image_size(color)
        camera = _camera(entry["cam2img"] if "cam2img" in entry else sample["cam2img"], size)
        depth = _depth_file(root, entry)
        if depth is not None:
            depth_size = depth_size or image_size(depth)
        else:
            skipped["depth: no image for a frame"] += 1
        own = entry.get("depth_cam2img", sample.get("depth_cam2img"))
        depth_view = None
        if depth is not None and depth_size is not None:
            depth_view = camera.scaled(*depth_size) if own is None else _camera(own, depth_size)
        T_cam = _matrix(entry["cam2global"])
        frames.append(
            Frame(
                id=color.name.split(".")[0],
                camera=camera,
                T_world_cam=align @ T_cam if np.isfinite(T_cam).all() else T_cam,
                color=partial(read_color, color, camera),
                content_key=content_key(depth, scale),
                color_path=color,
                depth=partial(read_depth, depth, depth_view, scale) if depth and depth_view else None,
                depth_camera=depth_view,
            )
        )
        ids = entry.get("visible_instance_ids")
        visible.append(None if ids is None else {int(place) for place in ids})
    return frames, visible
