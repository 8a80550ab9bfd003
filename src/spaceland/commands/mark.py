"""`spaceland mark`: bird's-eye view and frames with the same object numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from spaceland.commands.marking import DEFAULT as NO_SWITCHES
from spaceland.commands.marking import Projection, Switches, marked_views
from spaceland.commands.stages import DEFAULT, Stages, prepare_source

if TYPE_CHECKING:
    from spaceland.prompts import MarkedScene


def mark(
    source: tyro.conf.Positional[str],
    *,
    out: Path = Path("out/marked"),
    scene: str | None = None,
    frames: int = 8,
    layout: Literal["images", "grid"] = "images",
    bev: Projection = "orthographic",
    question: str | None = None,
    table: bool = False,
    switches: Switches = NO_SWITCHES,
    stages: Stages = DEFAULT,
) -> int:
    """Bird's-eye view and frames with the same object numbers, and a prompt that explains them.

    Writes bev.png, frames/*.jpg, objects.json (numbers, boxes, pixels, the view's scale) and prompt.json (a chat
    message with the pictures and the text) for one scene.

        spaceland mark rooms:7 --out out/marked
        spaceland mark room.mp4 --out out/room --scale camera-height=1.5
        spaceland mark scannet:/data/scans --scene scene0000_00 --question "Which chair is nearest to the door?"
        spaceland mark rooms:7 --bev perspective --style som --layout grid --long-side 2048

    Args:
        source: A video, a folder of pictures, or a scene such as rooms:7, scannet:/data/scans or rgbd:kitchen.
        out: Folder for the pictures; files of an earlier run are replaced.
        scene: Scene id, needed when the source holds several.
        frames: Frames to mark; 0 for the bird's-eye view alone.
        layout: images: every frame is a picture of its own. grid: all frames in one picture, with captions.
        bev: Projection of the bird's-eye view: without perspective, or from a camera above the room as in the paper.
        question: Text to ask at the end of the prompt.
        table: Add a table of the objects' labels and boxes to the prompt.
        switches: Which marks there are and how they look, and the view from above.
        stages: How a video or a recording becomes a scene (see spaceland reconstruct); results go to --out, too.
    """
    config = replace(switches.config(frames, bev), layout=layout, question=question, table=table)
    opened = prepare_source(source, scene, out, stages).scene
    result = marked_views(opened, out, config)
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
        reason = "No object could be marked" if record["config"]["marks"] else "No marks were wanted"
        print(f"{reason}; the pictures carry no numbers.")
    if record["bev"]:
        _print_view(record["bev"])
    if not record["scale_known"]:
        print("the scale is unknown: lengths are right only in proportion to each other")
    if record["query_labels"] is not None:
        named = ", ".join(record["query_labels"]) or "no object of the scene, so all stay"
        print(f"the query names {named}")
    for place in ("bev", "frames"):
        reasons = ", ".join(f"{n} {reason}" for reason, n in record["skipped"][place].items())
        if reasons:
            print(f"no disc {'on the view' if place == 'bev' else 'on a frame'}: {reasons}")
    if record["skipped"]["not markable"]:
        print(f"not marked by choice of labels: {record['skipped']['not markable']}")
    for reason, numbers in record["left_out"].items():
        print(f"{reason}: {len(numbers)} ({_short(numbers)})")
    num_frames = len(record["frames"])
    pictures = [str(out / record["bev"]["image"])] if record["bev"] else []
    pictures += [f"{num_frames} picture{'' if num_frames == 1 else 's'} in {out / 'frames'}"]
    pictures += [record["grid"]["image"]] if record["grid"] else []
    print(f"Wrote {', '.join(pictures)}, objects.json and prompt.json")
    first = out / (record["bev"]["image"] if record["bev"] else record["frames"][0]["image"])
    print(f"Next: look at {first}; prompt.json is the message to send to a vision-language model")


def _print_view(view: dict[str, Any]) -> None:
    cut = "no ceiling found"
    if view["ceiling_cut_z_m"] is not None:
        above = view["ceiling_cut_z_m"] - view["floor_z_m"]
        cut = f"cut {above:.2f} m above the floor (rule: {view['ceiling_rule']})"
    scale = f"{1000 * view['metres_per_px']:.1f} mm per pixel"
    if view["projection"] == "perspective":
        scale += f" on the floor, camera {view['camera_height_m']:.2f} m above it, {view['fov_deg']:g} degrees"
    print(f"bird's-eye view: {scale}, from {view['surface']}, {cut}")
    holes = view["holes"]
    if holes["largest_m"]:
        print(f"holes up to {holes['largest_m']:g} m: {holes['filled']} filled, {holes['left']} left white")


def _short(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:12])) + (" ..." if len(numbers) > 12 else "")
