"""What the page gets of a job that is done: its records as JSON, and its pictures and maps by their place in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError
from spaceland.files import read_json
from spaceland.prompts.marked import read_marked

_NAME = re.compile(r"bev|room|ids_bev|(frame|ids)_(\d{1,3})")


def result_of(folder: Path) -> dict[str, Any]:
    """Objects, frames, view and 3D sizes.

    Raises:
        SceneError: the files were changed or removed.
    """
    marked, record = read_marked(folder / "marked"), read_json(folder / "marked" / "objects.json")
    bev = marked.bev
    return {
        "scene": marked.scene,
        "geometry": marked.geometry,
        "scale_known": marked.scale_known,
        "bev": {"width": bev.width, "height": bev.height},
        "frames": [
            {
                "id": frame.id,
                "width": frame.width,
                "height": frame.height,
                "intrinsics": list(frame.intrinsics),
                "T_world_cam": frame.T_world_cam.tolist(),
            }
            for frame in marked.frames
        ],
        "objects": [
            {
                "mark": thing.mark,
                "label": thing.label,
                "center_m": thing.box.center.tolist(),
                "size_m": thing.box.size.tolist(),
                "corners": thing.box.corners().tolist(),
                "bev_pixel": thing.bev_px,
                "frames": {str(k): thing.frame_px[f.id] for k, f in enumerate(marked.frames) if f.id in thing.frame_px},
            }
            for thing in marked.objects
        ],
        "skipped": record.get("skipped", {}),
        "view": read_json(folder / "view" / "view.json"),
    }


def file_of(folder: Path, name: str) -> tuple[bytes, str, bool] | None:
    """Content, media type and whether it is packed, of one of a job's files; None when the job has no such file.

    Raises:
        SceneError: the file was removed.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if name == "bev":
        return _read(folder / "marked" / "bev.png"), "image/png", False
    if match[1] == "frame":
        frames = read_marked(folder / "marked").frames
        if int(match[2]) >= len(frames):
            return None
        path = frames[int(match[2])].path
        return _read(path), "image/png" if path.suffix == ".png" else "image/jpeg", False
    path = folder / "view" / f"{name if match[1] is None else f'ids_{int(match[2])}'}.bin.gz"
    return (_read(path), "application/octet-stream", True) if path.is_file() else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SceneError(f"cannot read {path} ({error.strerror or error}); start the job anew") from error
