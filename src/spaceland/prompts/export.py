"""Marked views of a scene in a folder: `bev.png`, `frames/*.jpg`, `objects.json` and `prompt.json`.

`mark_scene` chooses frames, renders the bird's-eye view, measures what each frame sees, places the same numbers on
all pictures and writes everything. Numbers are the object ids where these are at most 999, else 0, 1, 2, ... in the
order of the ids; `objects.json` holds both. An object is listed when it carries its number on at least one picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spaceland.errors import OutputError, SceneError
from spaceland.files import encode_jpeg, encode_png, read_json, write_bytes, write_json
from spaceland.prompts.bev import Bev, BevConfig, render_bev
from spaceland.prompts.marks import STYLES, draw_marks
from spaceland.prompts.messages import chat_messages, explain_pictures, object_table
from spaceland.prompts.placement import Placed, PlacementConfig, place_bev_marks, place_marks
from spaceland.prompts.record import frame_path, marks_record
from spaceland.scenes.scene import Frame, Scene, SceneObject
from spaceland.visibility import MapMaker, ObjectSamples, ObjectView, VisibilityConfig, measure_frame

_MAX_NUMBER = 999
_FRAME_FILE = re.compile(r"frames/[^/\\]+\.jpg")


@dataclass(frozen=True, kw_only=True)
class MarkConfig:
    """Everything that decides what marked views look like."""

    num_frames: int = 8
    style: str = "gpt4scene"
    labels: tuple[str, ...] = ()
    """Mark only objects with these labels; empty: all but the room itself (`bev.room_labels`)."""
    question: str | None = None
    """Asked at the end of the prompt."""
    table: bool = False
    """Add a table of the numbered objects with labels and boxes to the prompt."""
    max_contradicted: float = 0.1
    """No disc on a frame where more of the object looks unlike the scan (see `spaceland.visibility.photometric`)."""
    bev: BevConfig = field(default_factory=BevConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    visibility: VisibilityConfig = field(default_factory=lambda: VisibilityConfig(width_px=480))

    def __post_init__(self) -> None:
        if self.num_frames < 0:
            raise OutputError(f"--frames {self.num_frames} is negative; give the number of frames, 0 for none")
        if self.style not in STYLES:
            raise OutputError(f"unknown style '{self.style}'; styles are: {', '.join(STYLES)}")


@dataclass(frozen=True, eq=False)
class MarkedScene:
    """What was written: the view, discs on it and on each frame (in order), and `objects.json` as a dict."""

    bev: Bev
    bev_marks: Placed
    frame_ids: tuple[str, ...]
    frame_marks: tuple[Placed, ...]
    record: dict[str, Any]
    prompt: list[dict[str, Any]]


def choose_frames(num_total: int, num_wanted: int) -> list[int]:
    """Indices (from 0) of evenly spread frames: the i-th of n (from 1) is floor((i - 1) N / n) + 1, as in GPT4Scene.

    >>> choose_frames(100, 8)
    [0, 12, 25, 37, 50, 62, 75, 87]
    """
    if num_wanted >= num_total:
        return list(range(num_total))
    return [i * num_total // num_wanted for i in range(num_wanted)]


def mark_numbers(things: Sequence[SceneObject]) -> dict[int, int]:
    """Object id -> number to draw."""
    ids = sorted(thing.id for thing in things)
    if not ids or ids[-1] <= _MAX_NUMBER:
        return {k: k for k in ids}
    return {k: number for number, k in enumerate(ids)}


def markable(scene: Scene, config: MarkConfig) -> list[SceneObject]:
    """Objects that may carry a number.

    Raises:
        SceneError: a label in `config.labels` does not occur in the scene.
    """
    unknown = [label for label in config.labels if label not in scene.label_counts]
    if unknown:
        known = ", ".join(sorted(scene.label_counts)) or "none"
        raise SceneError(f"scene {scene.id} has no object labelled {', '.join(unknown)}; its labels are: {known}")
    if config.labels:
        return [thing for thing in scene.objects if thing.label in config.labels]
    return [thing for thing in scene.objects if thing.label not in config.bev.room_labels]


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
        SceneError: there is nothing to see from above, or an image is broken.
        OutputError: the folder cannot be written.
    """
    out, config = Path(out), config or MarkConfig()
    style = STYLES[config.style]
    things = markable(scene, config)
    numbers = mark_numbers(things)
    bev = render_bev(scene, config.bev)
    centers = {}
    for thing in things:
        u, v = bev.map.world_to_pixel(thing.center)
        centers[thing.id] = (float(u), float(v))
    bev_marks = place_bev_marks(
        bev.object_ids,
        numbers,
        centers,
        diameter_px=style.bev_diameter_share * max(bev.shape),
        bottom_px=bev.strip_top_px,
        config=config.placement,
    )
    frames = [scene.frames[k] for k in choose_frames(len(scene.frames), config.num_frames)]
    frame_marks, views = [], {}
    look = _FrameMarker(scene, numbers, config)
    for k, frame in enumerate(frames):
        placed, seen = look.place(frame)
        frame_marks.append(placed)
        views.update({(frame.id, view.object_id): view for view in seen})
        write_bytes(out / frame_path(frame), encode_jpeg(draw_marks(frame.color(), placed.marks, style), quality=95))
        if progress:
            progress(k + 1, len(frames))
    write_bytes(out / "bev.png", encode_png(draw_marks(bev.image, bev_marks.marks, style)))
    record = marks_record(scene, asdict(config), bev, bev_marks, frames, frame_marks, numbers, views)
    prompt = _prompt(scene, config, bev, frames, record)
    _remove_old_frames(out, {frame_path(frame) for frame in frames})
    write_json(out / "objects.json", record)
    write_json(out / "prompt.json", prompt)
    return MarkedScene(bev, bev_marks, tuple(frame.id for frame in frames), tuple(frame_marks), record, prompt)


class _FrameMarker:
    """Places discs on frames; what all frames share is made once, and only when there is something to mark."""

    def __init__(self, scene: Scene, numbers: dict[int, int], config: MarkConfig) -> None:
        self._numbers, self._config = numbers, config
        self._maker = MapMaker(scene, config.visibility)
        self._samples = ObjectSamples.of_scene(scene) if numbers and config.num_frames else None

    def place(self, frame: Frame) -> tuple[Placed, list[ObjectView]]:
        """Discs of a frame, and what it sees of each object."""
        if self._samples is None:
            return Placed((), {}), []
        maps = self._maker.maps(frame)
        views = measure_frame(frame, maps, self._samples, self._config.visibility)
        # Where the picture looks unlike the scan, something that the scan lacks may carry the disc.
        doubtful = {view.object_id for view in views if view.contradicted > self._config.max_contradicted}
        placed = place_marks(
            maps.object_ids,
            {k: number for k, number in self._numbers.items() if k not in doubtful},
            image_size=(frame.camera.width, frame.camera.height),
            diameter_px=STYLES[self._config.style].diameter_share * frame.camera.width,
            config=self._config.placement,
        )
        skipped = dict.fromkeys(sorted(doubtful & set(self._numbers)), "picture and scan differ there")
        return Placed(placed.marks, {**placed.skipped, **skipped}), views


def _remove_old_frames(out: Path, keep: set[str]) -> None:
    """Remove frames that an earlier `objects.json` in the folder names and this run does not write."""
    try:
        old = [entry["image"] for entry in read_json(out / "objects.json")["frames"]]
    except (SceneError, KeyError, TypeError):
        return
    for path in old:
        if isinstance(path, str) and _FRAME_FILE.fullmatch(path) and path not in keep:
            (out / path).unlink(missing_ok=True)


def _prompt(
    scene: Scene, config: MarkConfig, bev: Bev, frames: Sequence[Frame], record: dict[str, Any]
) -> list[dict[str, Any]]:
    listed = [(entry["mark"], scene.objects_by_id[entry["id"]]) for entry in record["objects"]]
    parts = [explain_pictures(bev, len(frames), len(listed), estimated=scene.geometry == "estimated")]
    if config.table and listed:
        parts.append(object_table(listed, scene, bev))
    if config.question:
        parts.append(config.question)
    paths = ["bev.png", *(frame_path(frame) for frame in frames)]
    return chat_messages(paths, "\n\n".join(parts))
