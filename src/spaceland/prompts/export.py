"""Marked views of a scene in a folder: `bev.png`, `frames/*.jpg`, `objects.json` and `prompt.json`.

`mark_scene` chooses objects and frames, renders the bird's-eye view, measures what each frame sees, places the same
numbers on all pictures and writes everything. Numbers are the object ids where these are at most 999, else 0, 1, 2, ...
in the order of the ids; `objects.json` holds both. An object is listed when it carries its number on at least one
picture. The layout "grid" adds `frames_grid.jpg`, filled holes add `bev_filled.png` (white where filled).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spaceland.errors import SceneError
from spaceland.files import encode_jpeg, encode_png, read_json, write_bytes, write_json
from spaceland.prompts.bev import Bev, BevConfig, render_bev
from spaceland.prompts.config import MarkConfig as MarkConfig
from spaceland.prompts.grid import stitch
from spaceland.prompts.marked import marked_of_record
from spaceland.prompts.marks import draw_marks
from spaceland.prompts.messages import Shown, chat_messages, explain_pictures, object_table
from spaceland.prompts.model_frames import choose_model_frames
from spaceland.prompts.pictures import mark_diameter_px, mark_frames
from spaceland.prompts.placement import Placed, place_bev_marks
from spaceland.prompts.record import marks_record
from spaceland.prompts.selection import select_objects
from spaceland.scenes.scene import Frame, Scene

BEV_FILE, FILLED_FILE, GRID_FILE = "bev.png", "bev_filled.png", "frames_grid.jpg"
_OWN_FILE = re.compile(r"frames/[^/\\]+\.jpg|bev\.png|bev_filled\.png|frames_grid\.jpg")


@dataclass(frozen=True, eq=False)
class MarkedScene:
    """What was written: the view (None: not wanted), marks on it and on each frame (in order), `objects.json` as a
    dict, and the prompt."""

    bev: Bev | None
    bev_marks: Placed
    frame_ids: tuple[str, ...]
    frame_marks: tuple[Placed, ...]
    record: dict[str, Any]
    prompt: list[dict[str, Any]]


def mark_scene(
    scene: Scene,
    out: str | Path,
    config: MarkConfig | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> MarkedScene:
    """Write marked views of a scene into the folder `out`; files of an earlier run there are replaced.

    A scene without objects gets its pictures without discs, and a prompt that says so.

    Raises:
        SceneError: there is nothing to see from above, an image is broken, or a label or number does not exist.
        OutputError: the folder cannot be written.
    """
    out, config = Path(out), config or MarkConfig()
    selection = select_objects(
        scene,
        labels=config.labels,
        room_labels=config.room_labels,
        only=config.only,
        query=config.query,
        drop_share=config.drop_share,
        seed=config.seed,
    )
    numbers = dict(selection.numbers) if config.marks else {}
    frames = [scene.frames[k] for k in choose_model_frames(scene, config.num_frames, config.choose)]
    if config.bev is None and not frames:
        raise SceneError(f"scene {scene.id} has no frames and no bird's-eye view is wanted, so there is no picture")
    bev, bev_marks = _bev_with_marks(scene, numbers, frames, config)
    marked = mark_frames(scene, frames, numbers, config, out, progress)
    grid = None
    if config.layout == "grid" and marked:
        grid = stitch([one.picture for one in marked if one.picture is not None])
        write_bytes(out / GRID_FILE, encode_jpeg(grid.image, quality=95))
    if bev is not None:
        picture = draw_marks(bev.image, bev_marks.marks, config.mark_style, bev.object_ids)
        write_bytes(out / BEV_FILE, encode_png(picture))
        if bev.filled.any():
            write_bytes(out / FILLED_FILE, encode_png(bev.filled.astype(np.uint8) * 255))
    record = marks_record(scene, asdict(config), bev, bev_marks, marked, numbers, selection, grid)
    prompt = _prompt(out, config, record)
    _remove_old_files(out, _pictures_of(record))
    write_json(out / "objects.json", record)
    write_json(out / "prompt.json", prompt)
    return MarkedScene(
        bev, bev_marks, tuple(frame.id for frame in frames), tuple(one.placed for one in marked), record, prompt
    )


def _bev_with_marks(
    scene: Scene, numbers: dict[int, int], frames: Sequence[Frame], config: MarkConfig
) -> tuple[Bev | None, Placed]:
    if config.bev is None:
        return None, Placed((), {})
    bev = render_bev(scene, _bev_size(config.bev, config), shown=frames)
    height, width = bev.shape
    centers = {}
    for object_id in numbers:
        u, v = bev.map.world_to_pixel(scene.objects_by_id[object_id].center)
        seen = np.isfinite([u, v]).all()  # what hangs above the camera has no place in the picture
        centers[object_id] = (float(u), float(v)) if seen else (width / 2, height / 2)
    marks = place_bev_marks(
        bev.object_ids,
        numbers,
        centers,
        diameter_px=mark_diameter_px(
            numbers.values(),
            config.mark_style.bev_diameter_share,
            max(bev.shape),
            config,
            resized=config.model_long_side_px is not None,
        ),
        bottom_px=bev.strip_top_px,
        config=config.placement,
    )
    return bev, marks


def _bev_size(bev: BevConfig, config: MarkConfig) -> BevConfig:
    """The view is rendered at the size in which the model will see it."""
    if config.model_long_side_px is None or bev.size_px <= config.model_long_side_px:
        return bev
    return replace(bev, size_px=config.model_long_side_px)


def _pictures_of(record: dict[str, Any]) -> list[str]:
    """Paths of the pictures that an `objects.json` names."""
    paths = [entry["image"] for entry in record["frames"]]
    view, grid = record.get("bev"), record.get("grid")
    if view:
        paths += [view["image"], view.get("filled_image")]
    if grid:
        paths.append(grid["image"])
    return [path for path in paths if isinstance(path, str)]


def _remove_old_files(out: Path, keep: Sequence[str]) -> None:
    """Remove pictures that an earlier `objects.json` in the folder names and this run does not write."""
    try:
        old = _pictures_of(read_json(out / "objects.json"))
    except (SceneError, KeyError, TypeError, AttributeError):
        return
    for path in old:
        if _OWN_FILE.fullmatch(path) and path not in keep:
            (out / path).unlink(missing_ok=True)


def _prompt(out: Path, config: MarkConfig, record: dict[str, Any]) -> list[dict[str, Any]]:
    view, grid, frames = record["bev"], record["grid"], [entry["image"] for entry in record["frames"]]
    paths = [] if view is None else [view["image"]]
    first = len(paths) + 1
    paths += frames if grid is None else [grid["image"]]
    shown = Shown(
        bev_image=None if view is None else 1,
        frame_images=tuple(range(first, len(paths) + 1)) if grid is None else (),
        grid_image=None if grid is None else first,
        num_frames=len(frames),
    )
    marked = marked_of_record(out, record)
    parts = [explain_pictures(marked, shown)]
    if config.table and marked.objects:
        parts.append(object_table(marked))
    if config.question:
        parts.append(config.question)
    return chat_messages(paths, "\n\n".join(parts))
