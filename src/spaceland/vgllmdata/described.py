"""ScanRefer's descriptions with what VG LLM's rows take from them, and the boxes of the described objects.

Boxes are axis-aligned around the object's vertices in ScanNet's aligned world, by object id; proposals are boxes of
the same kind. They come from the scans themselves, or from JSON files by scene:

    {"scene0011_00": {"objects": {"7": [x, y, z, dx, dy, dz]}, "proposals": [[...], ...]}}
    {"scannet/scene0011_00": [[x, y, z, dx, dy, dz], ...]}          proposals only (scannet_val_pred_box.json)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.box_rows import read_facts
from spaceland.benchmarks.label_map import read_label_map
from spaceland.benchmarks.scanrefer import is_multiple
from spaceland.errors import SourceError
from spaceland.files import read_json
from spaceland.objects.mask3d import Mask3dFinder
from spaceland.scenes.scene import Scene
from spaceland.scenes.sources import Source, open_source, parse_spec

MASK3D_PROPOSALS = 50
"""LEO's captions, which VG LLM's follow, know the first 50 masks of a scan."""


@dataclass(frozen=True)
class Described:
    """A description of one object. `kind` is "unique" or "multiple", None where no table of labels was given."""

    scene: str
    object_id: str
    object_name: str
    ann_id: str
    description: str
    kind: str | None = None

    @property
    def key(self) -> str:
        """Names the description."""
        return f"{self.object_key}|{self.ann_id}"

    @property
    def object_key(self) -> str:
        """Names the described object, as captions are grouped."""
        return f"{self.scene}|{self.object_id}|{self.object_name}"


@dataclass(frozen=True, eq=False)
class SceneBoxes:
    """Boxes (centre, size; metres) of a scan's objects by id, and of its proposals, None where there are none."""

    objects: Mapping[str, Float[np.ndarray, "6"]]
    proposals: Float[np.ndarray, "k 6"] | None = None


def read_described(path: Path, labels: Path | None = None) -> list[Described]:
    """ScanRefer_filtered_<split>.json, with the classes of unique objects when the table of labels is given.

    Raises:
        SourceError: the file is not ScanRefer's; the message names the row.
        SceneError: it is missing or not JSON.
        ScoreError: the table of labels is another file.
    """
    data = read_json(path)
    if not isinstance(data, list):
        raise SourceError(f"{path}: expected the list of ScanRefer, found {type(data).__name__}")
    found = []
    for number, row in enumerate(data):
        try:
            texts = (str(row[name]) for name in ("scene_id", "object_id", "object_name", "ann_id", "description"))
            found.append(Described(*texts))
        except (KeyError, TypeError) as error:
            raise SourceError(f"{path}: row {number} is not of ScanRefer ({type(error).__name__}: {error})") from error
        if not found[-1].description.strip():
            raise SourceError(f"{path}: row {number} has an empty description")
    if labels is None:
        return found
    table = read_label_map(labels)
    rows = [
        {"scene_id": one.scene, "object_id": one.object_id, "class_20": table.of_20(one.object_name)} for one in found
    ]
    kinds = ["multiple" if multiple else "unique" for multiple in is_multiple(rows, ("class_20",))]
    return [
        Described(one.scene, one.object_id, one.object_name, one.ann_id, one.description, kind)
        for one, kind in zip(found, kinds, strict=True)
    ]


@dataclass(frozen=True)
class BoxSource:
    """Where boxes come from: `scans` is a source of scenes, `boxes` and `proposals` are JSON files; `proposals` may
    also be mask3d:FOLDER, which needs scans. Small, so that workers can take it along."""

    scans: str | None = None
    boxes: Path | None = None
    proposals: str | None = None

    @property
    def mask3d(self) -> Path | None:
        """The folder of masks that proposals are made from, if they are."""
        spec = self.proposals or ""
        return Path(spec.removeprefix("mask3d:")) if spec.startswith("mask3d:") else None

    def check(self) -> None:
        """Open what there is.

        Raises:
            SourceError: nothing gives boxes, or a source does not exist.
            SceneError: a file is missing or not JSON.
        """
        if self.scans is None and self.boxes is None:
            raise SourceError(
                "descriptions need the boxes of their objects: add --scans scannet:/data/scans, or --boxes with a JSON"
            )
        if self.scans is not None:
            _scans(self.scans)
        if self.boxes is not None:
            _facts(self.boxes)
        if self.proposals is not None and self.mask3d is None:
            _facts(Path(self.proposals))
        if self.mask3d is not None and self.scans is None:
            raise SourceError("--proposals mask3d:FOLDER needs the meshes of the scans; add --scans")

    def of(self, scene: str) -> SceneBoxes:
        """The boxes of one scan; none where it is not there.

        Raises:
            SceneError: its files are damaged.
        """
        objects: dict[str, np.ndarray] = {}
        table: np.ndarray | None = None
        scan: Scene | None = None
        if self.scans is not None and scene in (source := _scans(self.scans)).ids():
            scan = source.open(scene)
            objects = {
                str(thing.id): np.concatenate([thing.aabb.center, thing.aabb.size])
                for thing in scan.objects
                if thing.aabb.size.any()
            }
        if self.boxes is not None:
            facts = _facts(self.boxes).get(scene, {})
            objects |= {key: np.array(box, dtype=float) for key, box in facts.get("objects", {}).items()}
            table = _table(facts.get("proposals"))
        if self.mask3d is not None:
            if scan is not None:
                finder = Mask3dFinder(self.mask3d, limit=MASK3D_PROPOSALS)
                clouds = [thing.points for thing in finder.find(scan).objects]
                lows, highs = np.array([c.min(0) for c in clouds]), np.array([c.max(0) for c in clouds])
                table = np.hstack([(lows + highs) / 2, highs - lows]) if clouds else None
        elif self.proposals is not None:
            table = _table(_facts(Path(self.proposals)).get(scene, {}).get("proposals"))
        return SceneBoxes(objects, table)


def _table(boxes: Sequence[Sequence[float]] | None) -> Float[np.ndarray, "k 6"] | None:
    return np.array(boxes, dtype=float).reshape(-1, 6) if boxes else None


@lru_cache(maxsize=4)
def _scans(spec: str) -> Source:
    kind, _, options = parse_spec(spec)
    # Only mesh and annotation are wanted: thousands of pose files stay closed.
    return open_source(f"{spec}?max_frames=1" if kind == "scannet" and not options else spec)


@lru_cache(maxsize=4)
def _facts(path: Path) -> Mapping[str, Mapping]:
    return {scene.removeprefix("scannet/"): facts for scene, facts in read_facts(path).items()}
