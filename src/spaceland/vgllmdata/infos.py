"""EmbodiedScan's info files as VG LLM uses them: the views of a ScanNet scan, and boxes that stand in its world.

No picture is opened: paths, poses, intrinsics and lists of visible instances are all that rows are made from.
`T_world_cam = axis_align_matrix @ cam2global`. Frames are every tenth of the scan's video; the number is their name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError, SourceError
from spaceland.geometry.box_relations import Boxes
from spaceland.geometry.camera import PinholeCamera
from spaceland.scenes.embodiedscan import SPLITS, read_infos
from spaceland.scenes.embodiedscan_boxes import Instance, read_instances

_DATASET = "scannet"


@dataclass(frozen=True, eq=False)
class View:
    """One frame: its path as the info file has it, pose, and the places of the instances that it shows, in order."""

    path: str
    number: int
    cam2global: Float[np.ndarray, "4 4"]
    T_world_cam: Float[np.ndarray, "4 4"]
    visible: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """A scan. `instances` are by their place in the file, which is what `View.visible` names."""

    scene: str
    views: tuple[View, ...]
    instances: Mapping[int, Instance]
    axis_align: Float[np.ndarray, "4 4"]
    cam2img: Float[np.ndarray, "_ _"]
    left_out: Mapping[str, int]

    @cached_property
    def camera(self) -> PinholeCamera:
        """Intrinsics. Info files hold no image size: the principal point is taken to be in the middle."""
        width, height = (max(1, round(2 * (float(self.cam2img[k, 2]) + 0.5))) for k in (0, 1))
        return PinholeCamera.from_opencv(width, height, self.cam2img)

    @cached_property
    def boxes(self) -> tuple[tuple[int, ...], Boxes]:
        """Places of all instances, and their boxes."""
        return tuple(self.instances), Boxes.stack([thing.box for thing in self.instances.values()])

    def camera_fields(self, views: Sequence[View]) -> dict[str, Any]:
        """Camera columns of released evaluation rows."""
        return {
            "cam2img": self.cam2img.tolist(),
            "cam2global": [view.cam2global.tolist() for view in views],
            "axis_align_matrix": self.axis_align.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Infos:
    """Entries of info files by ScanNet scan id, not looked into yet, and label names by number."""

    entries: Mapping[str, Mapping[str, Any]]
    names: Mapping[int, str]


def find_infos(path: Path, split: str) -> list[Path]:
    """The info files that a split needs: the one of its name, or a file that is named itself.

    Raises:
        SourceError: there is none.
    """
    if path.is_file():
        return [path]
    found = path / f"embodiedscan_infos_{split}.pkl"
    if not found.is_file():
        raise SourceError(
            f"no {found.name} in '{path}'; give EmbodiedScan's folder of embodiedscan_infos_<split>.pkl "
            f"({', '.join(SPLITS)}), or one of these files"
        )
    return [found]


def load_infos(files: Sequence[Path]) -> Infos:
    """The ScanNet samples of info files.

    Raises:
        SceneError: a file is damaged, or holds more than data.
        SourceError: none of them has a ScanNet sample.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    names: dict[int, str] = {}
    for file in files:
        own_names, samples = read_infos(file)
        names |= own_names
        for sample in samples.values():
            dataset, _, scene = str(sample["sample_idx"]).partition("/")
            if dataset == _DATASET:
                entries[scene] = sample
    if not entries:
        raise SourceError(f"{', '.join(map(str, files))}: no sample named {_DATASET}/...; VG LLM's sets are of ScanNet")
    return Infos(entries, names)


def read_sample(scene: str, entry: Mapping[str, Any], names: Mapping[int, str]) -> Sample:
    """An entry of an info file; views without a finite pose are counted.

    Raises:
        SceneError: the entry is not in the layout.
    """
    left_out: Counter[str] = Counter()
    try:
        align = _matrix(entry.get("axis_align_matrix", np.eye(4)))
        cam2img = np.asarray(entry["cam2img"], dtype=float)
        if cam2img.ndim != 2 or min(cam2img.shape) < 3:
            raise ValueError(f"cam2img has shape {cam2img.shape}")
        instances = {
            thing.place: thing for thing in read_instances(entry.get("instances") or [], dict(names), left_out)
        }
        views = []
        for image in entry["images"]:
            pose = _matrix(image["cam2global"])
            if not np.isfinite(pose).all():
                left_out["frame: no finite pose"] += 1
                continue
            path = str(image["img_path"])
            visible = tuple(int(place) for place in image.get("visible_instance_ids") or ())
            views.append(View(path, _number(path), pose, align @ pose, visible))
        return Sample(scene, tuple(views), instances, align, cam2img, dict(left_out))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SceneError(
            f"sample {_DATASET}/{scene} does not follow the layout of EmbodiedScan's info files "
            f"({type(error).__name__}: {error}); download the file again"
        ) from error


def _matrix(values: Any) -> Float[np.ndarray, "4 4"]:
    matrix = np.asarray(values, dtype=float)
    if matrix.shape != (4, 4):
        raise ValueError(f"a matrix has shape {matrix.shape}, expected 4x4")
    return matrix


def _number(path: str) -> int:
    stem = PurePosixPath(path).name.split(".")[0]
    if not stem.isdecimal():
        raise ValueError(f"the name of image {path} is no frame number")
    return int(stem)
