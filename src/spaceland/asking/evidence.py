"""The evidence for an answer: pictures in which the named objects stand out, and their boxes in metres.

On each picture that shows a named object everything else is darkened, and the object's box is drawn with its number in
a colour that it keeps on all pictures. The box is the object's 3D box, projected with the picture's own camera; it does
not know what hides it. A frame counts as showing an object when it carries the object's disc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import ConvexHull, QhullError

from spaceland.asking.answer import Answer
from spaceland.chat.estimate import Estimate
from spaceland.chat.pictures import read_rgb
from spaceland.files import encode_jpeg, encode_png, write_bytes, write_json
from spaceland.prompts.marked import MarkedFolder, MarkedFrame, MarkedObject, MarkedView
from spaceland.version import __version__

# Bright on dark and on light ground; named objects take them in turn.
COLORS = ((255, 196, 0), (0, 220, 255), (255, 96, 208), (120, 255, 80), (255, 128, 40), (170, 150, 255))
_EDGES = [(a, a | 1 << axis) for a in range(8) for axis in range(3) if not a >> axis & 1]
_NEAR_M = 0.05
_DIM = 0.42
_MAX_SHOWN = 24


@dataclass(frozen=True, kw_only=True)
class EvidencePicture:
    """A written picture: its file relative to the folder, the frame that it is ("" for the view), who stands out."""

    path: str
    frame: str
    marks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was written. `record` is answer.json."""

    folder: Path
    answer: Answer
    pictures: tuple[EvidencePicture, ...]
    record: dict[str, Any]


def color_of(order: int) -> tuple[int, int, int]:
    """RGB of the named object at this place in the answer."""
    return COLORS[order % len(COLORS)]


def write_evidence(
    out: Path, marked: MarkedFolder, answer: Answer, *, estimate: Estimate | None = None, text: str = ""
) -> Evidence:
    """Write `answer.json` and the pictures under `evidence/` into `out`.

    Args:
        out: A folder; files of an earlier answer there are replaced.
        marked: The scene that was asked about.
        answer: What the model said.
        estimate: Tokens counted before sending, kept beside those that the server counted.
        text: The question as the user gave it.

    Raises:
        SceneError: a picture is missing or broken.
        OutputError: the folder cannot be written.
    """
    named = [marked.by_mark[mark] for mark in answer.marks[:_MAX_SHOWN]]
    for old in sorted((out / "evidence").glob("*.jpg")) + sorted((out / "evidence").glob("*.png")):
        old.unlink(missing_ok=True)
    pictures = []
    if named and marked.view is not None:
        image = highlight_view(read_rgb(marked.view.path), marked.view, named)
        write_bytes(out / "evidence" / "bev.png", encode_png(image))
        pictures.append(EvidencePicture(path="evidence/bev.png", frame="", marks=tuple(t.mark for t in named)))
    for frame in marked.frames:
        seen = [thing for thing in named if frame.id in thing.frame_px]
        if not seen:
            continue
        image = highlight_frame(read_rgb(frame.path), frame, seen, [named.index(thing) for thing in seen])
        path = f"evidence/{frame.path.stem}.jpg"
        write_bytes(out / path, encode_jpeg(image))
        pictures.append(EvidencePicture(path=path, frame=frame.id, marks=tuple(t.mark for t in seen)))
    record = _record(marked, answer, pictures, estimate, text)
    write_json(out / "answer.json", record)
    return Evidence(folder=out, answer=answer, pictures=tuple(pictures), record=record)


def highlight_frame(
    image: UInt8[np.ndarray, "h w 3"], frame: MarkedFrame, things: Sequence[MarkedObject], order: Sequence[int]
) -> UInt8[np.ndarray, "h w 3"]:
    """The frame with these objects lit; `order` picks their colours."""
    scale = image.shape[1] / frame.width
    outlines = []
    for thing in things:
        lines = scale * project_box(thing, frame)
        outlines.append((thing, lines, tuple(scale * c for c in thing.frame_px[frame.id])))
    return _lit(image, outlines, order, ring_px=0.036 * image.shape[1])


def highlight_view(
    image: UInt8[np.ndarray, "h w 3"], view: MarkedView, things: Sequence[MarkedObject]
) -> UInt8[np.ndarray, "h w 3"]:
    """The bird's-eye view with these objects lit."""
    outlines = []
    for thing in things:
        corners = view.map.world_to_pixel(thing.box.corners())
        lines = np.array([[corners[a], corners[b]] for a, b in _EDGES])
        lines = lines[np.isfinite(lines).all((1, 2))]
        outlines.append((thing, lines, thing.bev_px))
    return _lit(image, outlines, range(len(things)), ring_px=0.021 * max(image.shape[:2]))


def project_box(thing: MarkedObject, frame: MarkedFrame) -> Float[np.ndarray, "k 2 2"]:
    """The box's edges in a frame, as pairs of pixels (u, v); what lies behind the camera is cut off."""
    R, t = frame.T_world_cam[:3, :3], frame.T_world_cam[:3, 3]
    corners = (thing.box.corners() - t) @ R  # world -> camera
    fx, fy, cx, cy = frame.intrinsics
    lines = []
    for a, b in _EDGES:
        p, q = corners[a], corners[b]
        if p[2] < _NEAR_M and q[2] < _NEAR_M:
            continue
        if (p[2] < _NEAR_M) != (q[2] < _NEAR_M):
            cut = p + (q - p) * (_NEAR_M - p[2]) / (q[2] - p[2])
            p, q = (cut, q) if p[2] < _NEAR_M else (p, cut)
        lines.append([[fx * c[0] / c[2] + cx, fy * c[1] / c[2] + cy] for c in (p, q)])
    return np.array(lines).reshape(-1, 2, 2)


def _lit(
    image: UInt8[np.ndarray, "h w 3"],
    outlines: Sequence[tuple[MarkedObject, Float[np.ndarray, "k 2 2"], tuple[float, ...] | None]],
    order: Sequence[int],
    *,
    ring_px: float,
) -> UInt8[np.ndarray, "h w 3"]:
    """The image darkened but for the boxes and discs of these objects, which get lines and a ring of this radius."""
    height, width = image.shape[:2]
    cover = Image.new("L", (width, height))
    draw = ImageDraw.Draw(cover)
    thin = max(2, round(max(width, height) / 300))
    for _, lines, place in outlines:
        hull = _hull(lines)
        if len(hull) >= 3:
            draw.polygon([tuple(p) for p in hull], fill=255)
        if place is not None:
            draw.ellipse(_square(place, ring_px), fill=255)
    lit = np.array(cover)[..., None] > 0
    canvas = Image.fromarray(np.where(lit, image, (_DIM * image).astype(np.uint8)))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(max(12, 0.03 * max(width, height)))
    for (thing, lines, place), k in zip(outlines, order, strict=True):
        color = color_of(k)
        for p, q in np.clip(lines, -4 * max(width, height), 5 * max(width, height)):
            draw.line((*p, *q), fill=color, width=thin)
        if place is not None:
            draw.ellipse(_square(place, ring_px), outline=color, width=thin)
        elif len(lines):
            u, v = np.clip(lines.reshape(-1, 2).mean(0), 0, (width - 1, height - 1))
            draw.text(
                (u, v), str(thing.mark), fill=color, font=font, anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0)
            )
    return np.array(canvas)


def _hull(lines: Float[np.ndarray, "k 2 2"]) -> list[list[float]]:
    points = lines.reshape(-1, 2)
    if len(points) < 3:
        return []
    try:
        return points[ConvexHull(points).vertices].tolist()
    except QhullError:  # all on one line
        return []


def _square(center: tuple[float, ...], half: float) -> tuple[float, float, float, float]:
    u, v = center
    return u - half, v - half, u + half, v + half


def _record(
    marked: MarkedFolder,
    answer: Answer,
    pictures: Sequence[EvidencePicture],
    estimate: Estimate | None,
    text: str,
) -> dict[str, Any]:
    request, reply = answer.request, answer.reply
    return {
        "version": __version__,
        "scene": marked.scene,
        "geometry": marked.geometry,
        "scale_known": marked.scale_known,
        "task": request.task,
        "text": text,
        "question": request.question,
        "model": reply.model,
        "answer": reply.text,
        "finish": reply.finish,
        "complete": reply.finish != "length",
        "understood": answer.verdict,
        "says_none": answer.parsed.says_none,
        "number": answer.number,
        "objects": [_thing(marked.by_mark[mark]) for mark in answer.marks],
        "mentioned": list(answer.mentioned),
        "unknown_ids": list(answer.parsed.unknown),
        "pictures": [{"path": p.path, "frame": p.frame or None, "marks": list(p.marks)} for p in pictures],
        "sent": [{"name": p.name, "width": p.width, "height": p.height} for p in request.shown.pictures],
        "usage": dict(reply.usage),
        "estimated_input_tokens": estimate.input_tokens if estimate else None,
    }


def _thing(thing: MarkedObject) -> dict[str, Any]:
    return {
        "mark": thing.mark,
        "id": thing.id,
        "label": thing.label,
        "score": thing.score,
        "center_m": [round(float(v), 4) for v in thing.box.center],
        "size_m": [round(float(v), 4) for v in thing.box.size],
        "rotation": [[round(float(v), 6) for v in row] for row in thing.box.rotation],
        "frames": list(thing.frame_px),
    }
