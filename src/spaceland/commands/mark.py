"""`spaceland mark`: bird's-eye view and frames with the same object numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from spaceland.prompts import MarkedScene


def mark(
    source: tyro.conf.Positional[str],
    *,
    out: Path = Path("out/marked"),
    scene: str | None = None,
    frames: int = 8,
    size: int = 1024,
    style: Literal["gpt4scene", "ringed"] = "gpt4scene",
    labels: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LABEL [LABEL ...]")] = (),
    ceiling_height_m: float | None = None,
    question: str | None = None,
    table: bool = False,
) -> int:
    """Bird's-eye view and frames with the same object numbers, and a prompt that explains them.

    Writes bev.png, frames/*.jpg, objects.json (numbers, boxes, pixels, the view's scale) and prompt.json (a chat
    message with the pictures and the text) for one scene.

        spaceland mark rooms:7 --out out/marked
        spaceland mark scannet:/data/scans --scene scene0000_00 --question "Which chair is nearest to the door?"

    Args:
        source: Where the scene is, such as rooms:7, scannet:/data/scans or a folder.
        out: Folder for the pictures; files of an earlier run are replaced.
        scene: Scene id, needed when the source holds several.
        frames: Frames to mark, evenly spread over the video; 0 for the bird's-eye view alone.
        size: Longest side of the bird's-eye view in pixels.
        style: gpt4scene: dark red discs as in the paper. ringed: with a white rim.
        labels: Mark only objects with these labels; by default all but the room itself.
        ceiling_height_m: Leave out unnamed surface above this height over the floor; found automatically by default.
        question: Text to ask at the end of the prompt.
        table: Add a table of the objects' labels and boxes to the prompt.
    """
    from spaceland.progress import progress_bar
    from spaceland.prompts import BevConfig, MarkConfig, mark_scene
    from spaceland.scenes.scene import normalise_label
    from spaceland.scenes.sources import open_scene

    config = MarkConfig(
        num_frames=frames,
        style=style,
        labels=tuple(normalise_label(label) for label in labels),
        question=question,
        table=table,
        bev=BevConfig(size_px=size, ceiling_height_m=ceiling_height_m),
    )
    opened = open_scene(source, scene)
    with progress_bar("frames", min(frames, len(opened.frames))) as advance:
        result = mark_scene(opened, out, config, progress=lambda done, total: advance(1, ""))
    _print_result(result, out)
    return 0


def _print_result(result: MarkedScene, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    record = result.record
    table = Table("mark", "object", "frames", "bird's-eye view", title=f"scene {record['scene']}")
    for entry in record["objects"]:
        where = "no" if entry["bev_pixel"] is None else "beside" if entry["bev_leader_to"] else "yes"
        table.add_row(
            str(entry["mark"]), Text(entry["label"]), f"{len(entry['frames'])} of {len(record['frames'])}", where
        )
    console = Console()
    if record["objects"]:
        console.print(table)
    else:
        print("No object could be marked; the pictures carry no numbers.")
    view = record["bev"]
    cut = "no ceiling found"
    if view["ceiling_cut_z_m"] is not None:
        above = view["ceiling_cut_z_m"] - view["floor_z_m"]
        cut = f"cut {above:.2f} m above the floor (rule: {view['ceiling_rule']})"
    print(f"bird's-eye view: {1000 * view['metres_per_px']:.1f} mm per pixel, from {view['surface']}, {cut}")
    for place in ("bev", "frames"):
        reasons = ", ".join(f"{n} {reason}" for reason, n in record["skipped"][place].items())
        if reasons:
            print(f"no disc {'on the view' if place == 'bev' else 'on a frame'}: {reasons}")
    if record["skipped"]["not markable"]:
        print(f"not marked by choice of labels: {record['skipped']['not markable']}")
    num_frames = len(record["frames"])
    print(f"Wrote {out / 'bev.png'}, {num_frames} pictures in {out / 'frames'}, objects.json and prompt.json")
    print(f"Next: look at {out / 'bev.png'}; prompt.json is the message to send to a vision-language model")
