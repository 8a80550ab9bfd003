"""3D masks as Mask3D exports them, one scene at a time.

    <folder>/<scene>.txt                  pred_mask/scene0000_00_000.txt 5 0.9817
                                          pred_mask/scene0000_00_001.txt 7 0.9533
    <folder>/pred_mask/..._000.txt        0 or 1 for each vertex of the scene's surface, one a line
    <folder>/labels.json                  {"5": "chair", "7": "table"}: what the numbers mean; optional

By default every line counts up to the hundredth, in the order of the file and whatever its score: that is what the
GPT4Scene paper feeds on. Objects keep that order too, and their ids are line numbers from 0, so they stay what they are
when limits change.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from spaceland.errors import SceneError
from spaceland.objects.evidence import SeenFrame
from spaceland.objects.fit_box import fit_box
from spaceland.objects.frame_depth import DepthReader
from spaceland.objects.masks import read_id_labels
from spaceland.objects.types import Found, FoundObject, Progress
from spaceland.scenes.folder_write import check_file_name
from spaceland.scenes.scene import Scene, normalise_label

_SHOWN_SHARE = 0.1
_TOLERANCE = 0.05, 0.02
_MAX_LIST_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Mask3dFinder:
    """Objects from per-vertex masks. `folder` holds `<scene>.txt`; a path to that file itself is taken too.

    `labels` names the label ids, and goes before the folder's `labels.json`; those without a name in either are called
    "class 5". Lines below `min_score` are left out, then all but the first `limit`.
    """

    folder: Path
    labels: Mapping[int, str] = field(default_factory=dict)
    min_score: float = 0.0
    limit: int = 100
    name: str = "mask3d"

    def find(self, scene: Scene, progress: Progress | None = None) -> Found:
        """Find the objects.

        Raises:
            SceneError: the scene has no surface, or a file is missing, damaged, outside the folder, or of another mesh;
                or `labels.json` is no table of labels.
        """
        if scene.surface is None:
            raise SceneError(f"scene {scene.id} has no surface; Mask3D masks need the mesh that they were made on")
        check_file_name(scene.id)
        path = Path(self.folder)
        path = path if path.is_file() else path / f"{scene.id}.txt"
        vertices = scene.surface.vertices
        table = path.parent / "labels.json"
        labels = {**(read_id_labels(table) if table.exists() else {}), **self.labels}
        left_out: Counter[str] = Counter()
        found: list[FoundObject] = []
        for number, (name, label_id, score) in enumerate(_lines(path)):
            if score < self.min_score:
                left_out["object: score too low"] += 1
                continue
            if len(found) >= self.limit:
                left_out["object: beyond the limit"] += 1
                continue
            mask = _read_mask(_inside(path.parent, name, path), len(vertices))
            if not mask.any():
                left_out["object: empty mask"] += 1
                continue
            points = np.asarray(vertices[mask], dtype=float)
            label = normalise_label(labels.get(label_id, "")) or f"class {label_id}"
            found.append(FoundObject(number, label, score, points, fit_box(points), (), {label: 1}))
        shown = _shown_in(scene, [thing.points for thing in found], progress)
        found = [replace(thing, frames=frames) for thing, frames in zip(found, shown, strict=True)]
        report = {
            "finder": self.name,
            "objects": len(found),
            "left_out": dict(sorted(left_out.items())),
            "config": {"min_score": self.min_score, "limit": self.limit},
        }
        return Found(tuple(found), report)


def _shown_in(scene: Scene, things: list[np.ndarray], progress: Progress | None) -> list[tuple[str, ...]]:
    """Ids of the frames that see at least a tenth of the points of each thing."""
    reader = DepthReader(scene, width_px=320, max_depth_m=16.0, edge_m=0.03, edge_per_m=0.03)
    shown: list[list[str]] = [[] for _ in things]
    for frame in scene.frames if things else ():
        seen = SeenFrame.of(reader.view(frame))
        for points, frames in zip(things, shown, strict=True):
            if len(seen.look(points, *_TOLERANCE)[0]) >= _SHOWN_SHARE * len(points):
                frames.append(frame.id)
        if progress is not None:
            progress(1, frame.id)
    return [tuple(frames) for frames in shown]


def _lines(path: Path) -> list[tuple[str, int, float]]:
    """(mask file, label id, score) of each line."""
    found = []
    for number, line in enumerate(_text(path, _MAX_LIST_BYTES).splitlines(), 1):
        if not line.strip():
            continue
        parts = line.rsplit(maxsplit=2)
        try:
            name, label_id, score = parts[0], int(parts[1]), float(parts[2])
            if not math.isfinite(score) or not 0 <= score <= 1:
                raise ValueError
        except (IndexError, ValueError):
            raise SceneError(
                f"{path}, line {number}: expected 'path/to/mask.txt label_id score' with a score from 0 to 1, found "
                f"{line[:80]!r}"
            ) from None
        found.append((name, label_id, score))
    return found


def _inside(folder: Path, name: str, listed_in: Path) -> Path:
    """The mask file; names that lead out of the folder are refused."""
    path = folder / name
    if "\0" in name or Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise SceneError(f"{listed_in} names {name!r}, which is outside its folder; masks must lie beside the list")
    return path


def _read_mask(path: Path, num_vertices: int) -> Bool[np.ndarray, "n"]:
    # A number, a sign of a line's end and some air for each vertex; more cannot be a mask of this mesh.
    values = _text(path, 8 * num_vertices + 1024).split()
    if len(values) != num_vertices:
        raise SceneError(
            f"{path} has {len(values)} values, but the scene's surface has {num_vertices} vertices; "
            "masks and scene must come from the same mesh"
        )
    mask = np.array(values) == "1"
    if not all(value in ("0", "1") for value in set(values)):
        raise SceneError(f"{path} holds other values than 0 and 1; export binary masks")
    return mask


def _text(path: Path, most_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > most_bytes:
        raise SceneError(f"{path} is larger than {most_bytes} bytes and cannot be what its place says")
    return data.decode("utf-8", "replace")
