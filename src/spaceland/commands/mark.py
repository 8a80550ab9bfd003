"""`spaceland mark`: bird's-eye view and frames with the same object numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from spaceland.commands.stages import DEFAULT, Stages, prepare_source

if TYPE_CHECKING:
    from spaceland.prompts import MarkedScene


def mark(
    source: tyro.conf.Positional[str],
    *,
    out: Path = Path("out/marked"),
    scene: str | None = None,
    frames: int = 8,
    choose: Literal["uniform", "coverage"] = "uniform",
    size: int = 1024,
    style: Literal["gpt4scene", "ringed", "som", "box", "outline"] = "gpt4scene",
    layout: Literal["images", "grid"] = "images",
    bev: Literal["orthographic", "perspective", "none"] = "orthographic",
    labels: Annotated[tuple[str, ...], tyro.conf.arg(metavar="LABEL [LABEL ...]")] = (),
    only: Annotated[tuple[int, ...], tyro.conf.arg(metavar="NUMBER [NUMBER ...]")] = (),
    query: str | None = None,
    marks: bool = True,
    drop: float = 0.0,
    seed: int = 0,
    mark_size: float | None = None,
    long_side: int | None = None,
    ceiling_height_m: float | None = None,
    crop: tuple[float, float, float, float] | None = None,
    crop_to: Annotated[tuple[int, ...], tyro.conf.arg(metavar="ID [ID ...]")] = (),
    fov_deg: float = 60.0,
    camera_height_m: float | None = None,
    fill_holes: float = 0.0,
    camera_path: bool = False,
    grid: float | None = None,
    question: str | None = None,
    table: bool = False,
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
        choose: uniform: evenly spread over the video, as in the paper. coverage: those that show most of the room.
        size: Longest side of the bird's-eye view in pixels.
        style: gpt4scene: dark red discs as in the paper. ringed: with a white rim. som: number and coloured mask. box:
            number and rectangle. outline: number and outline.
        layout: images: every frame is a picture of its own. grid: all frames in one picture, with captions.
        bev: Projection of the bird's-eye view: without perspective, or from a camera above the room as in the paper.
        labels: Mark only objects with these labels; by default all but the room itself.
        only: Mark only objects with these numbers.
        query: Mark only objects whose label occurs in this text; all if it names none.
        marks: Draw numbers; --no-marks for the same pictures without them.
        drop: Leave out this share of the marks (0 to 1), the same objects on all pictures.
        seed: Decides which marks are dropped.
        mark_size: Diameter of marks on a frame 640 px wide; 40 by default, as in the paper.
        long_side: Longest side of a picture as the model will see it; pictures are written at that size, with marks
            that can be read there.
        ceiling_height_m: Leave out unnamed surface above this height over the floor; found automatically by default.
        crop: Show only this area from above: least x, least y, greatest x, greatest y in metres.
        crop_to: Show only the area of these objects (ids as in objects.json) from above.
        fov_deg: Angle of view of the perspective view along its longer side.
        camera_height_m: Height of the perspective view's camera above the floor; by default as low as shows everything.
        fill_holes: Fill holes of the scan up to this width in metres in the view from above; 0: leave them white.
        camera_path: Draw the way of the camera on the view from above.
        grid: Draw a grid with so many metres between lines on the view from above.
        question: Text to ask at the end of the prompt.
        table: Add a table of the objects' labels and boxes to the prompt.
        stages: How a video or a recording becomes a scene (see spaceland reconstruct); results go to --out, too.
    """
    from spaceland.progress import progress_bar
    from spaceland.prompts import BevConfig, MarkConfig, mark_scene
    from spaceland.scenes.scene import normalise_label

    view = None
    if bev != "none":
        view = BevConfig(
            size_px=size,
            ceiling_height_m=ceiling_height_m,
            projection=bev,
            fov_deg=fov_deg,
            camera_height_m=camera_height_m,
            crop_m=crop,
            crop_to=crop_to,
            fill_holes_m=fill_holes,
            camera_path=camera_path,
            grid_m=grid,
        )
    config = MarkConfig(
        num_frames=frames,
        choose=choose,
        style=style,
        layout=layout,
        marks=marks,
        labels=tuple(normalise_label(label) for label in labels),
        only=only,
        query=query,
        drop_share=drop,
        seed=seed,
        mark_size_px=mark_size,
        model_long_side_px=long_side,
        question=question,
        table=table,
        bev=view,
    )
    opened = prepare_source(source, scene, out, stages).scene
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
