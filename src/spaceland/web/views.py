"""What the page needs beside the marked pictures: the room in 3D, and which number each pixel belongs to.

All in `view/` of a job, written last, so that a folder with `view.json` is complete:

    view.json        sizes of all that follows, the camera's way, notes
    room.bin.gz      the surface: positions float32 [n, 3], triangles uint32 [m, 3], numbers uint16 [n] (0: none, else
                     number + 1), colours uint8 [n, 3]; one after the other, little-endian
    ids_bev.bin.gz   numbers of the bird's-eye view's pixels, uint16, row by row, likewise; and ids_0.bin.gz, ... of
                     the frames, in their order

Maps are smaller than the pictures; they light things up and measure nothing.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt16

from spaceland.files import write_bytes, write_json
from spaceland.prompts import MarkConfig, MarkedScene
from spaceland.prompts.pictures import mark_diameter_px
from spaceland.scenes.scene import Scene
from spaceland.viewer.live_surface import shown_surface
from spaceland.visibility import MapMaker

_MAP_PX = 512
_MOST_PATH = 400
_MOST_NUMBER = 65_000


def write_views(
    scene: Scene,
    marked: MarkedScene,
    config: MarkConfig,
    out: Path,
    notes: tuple[str, ...] = (),
    progress: Callable[[int, str], None] | None = None,
) -> None:
    """Write the files above into the folder `out`; `progress` is called once for the room and once for each frame.

    Raises:
        SceneError: an image is broken.
        OutputError: the folder cannot be written.
    """
    advance = progress or (lambda steps, note: None)
    (out / "view.json").unlink(missing_ok=True)
    numbers = {thing["id"]: thing["mark"] for thing in marked.record["objects"] if thing["mark"] < _MOST_NUMBER}
    room = shown_surface(scene)
    faces = np.zeros((0, 3)) if room.faces is None else room.faces
    parts = (
        room.vertices.astype("<f4"),
        faces.astype("<u4"),
        to_numbers(room.object_ids, numbers),
        room.colors.astype(np.uint8),
    )
    _write_packed(out / "room.bin.gz", b"".join(part.tobytes() for part in parts))
    advance(1, "")
    maps: list[dict[str, Any]] = []
    if marked.bev is not None:
        maps.append(_write_map(out, "bev", to_numbers(marked.bev.object_ids, numbers)))
    maker = MapMaker(scene, config.visibility)
    for k, frame_id in enumerate(marked.frame_ids):
        ids = to_numbers(maker.maps(scene.frames_by_id[frame_id]).object_ids, numbers) if numbers else np.zeros((1, 1))
        maps.append(_write_map(out, str(k), ids.astype("<u2")))
        advance(1, "")
    step = max(1, -(-len(scene.frames) // _MOST_PATH))
    path = [[round(float(v), 3) for v in frame.T_world_cam[:3, 3]] for frame in scene.frames[::step]]
    write_json(
        out / "view.json",
        {
            "room": {"vertices": len(room.vertices), "faces": len(faces)},
            "maps": maps,
            "path": path if scene.is_video else [],
            "discs_px": _disc_sizes(marked, config, numbers),
            "notes": list(notes),
        },
        indent=None,
    )


def to_numbers(object_ids: Int[np.ndarray, "*n"], numbers: Mapping[int, int]) -> UInt16[np.ndarray, "*n"]:
    """The number that each pixel's object carries, plus 1; 0 where there is none."""
    found = np.zeros(object_ids.shape, dtype="<u2")
    if not numbers:
        return found
    known = np.array(sorted(numbers))
    place = np.minimum(np.searchsorted(known, object_ids), len(known) - 1)
    values = np.array([numbers[k] + 1 for k in known.tolist()])
    hit = known[place] == object_ids
    found[hit] = values[place[hit]]
    return found


def _write_map(out: Path, name: str, ids: UInt16[np.ndarray, "h w"]) -> dict[str, Any]:
    step = -(-max(ids.shape) // _MAP_PX)
    ids = np.ascontiguousarray(ids[step // 2 :: step, step // 2 :: step])
    _write_packed(out / f"ids_{name}.bin.gz", ids.tobytes())
    return {"name": name, "width": ids.shape[1], "height": ids.shape[0]}


def _write_packed(path: Path, data: bytes) -> None:
    write_bytes(path, gzip.compress(data, 4, mtime=0))


def _disc_sizes(marked: MarkedScene, config: MarkConfig, numbers: Mapping[int, int]) -> dict[str, float]:
    """Diameter of the discs in pixels of the view, and of each frame's picture."""
    style, record = config.mark_style, marked.record
    resized = config.model_long_side_px is not None
    sizes = {}
    if record["bev"]:
        side = max(record["bev"]["width"], record["bev"]["height"])
        sizes["bev"] = mark_diameter_px(
            numbers.values(), style.bev_diameter_share, side, config, resized=resized
        )  # fmt: skip
    for k, frame in enumerate(record["frames"]):
        sizes[str(k)] = mark_diameter_px(
            numbers.values(), style.diameter_share, frame["width"], config, resized=resized
        )
    return {name: round(float(size), 1) for name, size in sizes.items()}
