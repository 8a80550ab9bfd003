"""`spaceland reconstruct`: from a video, pictures or posed depth to a level scene with objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from spaceland.pipeline.run import Prepared

STAGES = Literal["keyframes", "poses", "depth", "scene", "objects"]


def reconstruct(
    source: tyro.conf.Positional[str],
    *,
    out: Path = Path("out/reconstructed"),
    scene: str | None = None,
    keyframes: int = 80,
    keyframe_method: Literal["motion", "sharp", "uniform"] = "motion",
    focal_px: float | None = None,
    depth: str = "stereo",
    scale: Annotated[str | None, tyro.conf.arg(metavar="HINT")] = None,
    objects: str = "auto",
    max_frames: int = 300,
    redo: STAGES | None = None,
) -> int:
    """A level scene in metres, with a fused mesh and objects, from a video, pictures or posed depth.

    Every stage keeps its result in a folder of its own below --out: keyframes, poses, depth, scene, objects. A second
    run goes on where the first ended; what is unchanged is kept. docs/reconstruct.md tells how to look at each stage,
    and how to put a result of your own in its place.

        spaceland reconstruct room.mp4 --out out/room --scale camera-height=1.5
        spaceland reconstruct 'phone:scan.r3d' --out out/scan
        spaceland view out/room/scene

    Args:
        source: A video file, a folder of pictures, or posed depth such as rgbd:kitchen or phone:scan.r3d.
        out: Folder for the stages.
        scene: Scene id, needed when the source holds several.
        keyframes: Pictures of a plain video that are reconstructed, at most.
        keyframe_method: motion: where the view has changed enough. sharp: the sharpest of equal parts. uniform: evenly
            spread, as in the paper.
        focal_px: Focal length of the video in pixels, where it is known.
        depth: stereo: from the poses, without weights. mono:ID: a metric-depth model of Hugging Face. none.
        scale: A length that you know: camera-height=1.45, door-height=FRAME:x,y:x,y=2.03, length=FRAME:x,y:x,y=0.80 or
            travel=12.5. Without one the scale of a plain video is unknown, and 1.5 m of camera height are assumed.
        objects: auto: the source's own, else the built-in detector. none, detector, masks:PATH, mask3d:PATH.
        max_frames: Frames of a posed recording that are fused, evenly spread, at most.
        redo: Make this stage anew; those after it follow.
    """
    from spaceland.pipeline import PipelineConfig, prepare
    from spaceland.progress import progress_bar

    config = PipelineConfig(
        keyframes=keyframes,
        keyframe_method=keyframe_method,
        focal_px=focal_px,
        depth=depth,
        scale=scale,
        objects=objects,
        max_frames=max_frames,
    )
    prepared = prepare(source, out, config, scene_id=scene, bars=progress_bar, say=print, redo=redo)
    _print(prepared, out)
    return 0


def _print(prepared: Prepared, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    scene = prepared.scene
    if not prepared.stages:
        print(f"{scene.id} is a scene with a surface and objects already; there was nothing to do")
    if scene.objects:
        table = Table("id", "object", "centre (m)", "size (m)", title=f"{len(scene.objects)} objects of {scene.id}")
        for thing in scene.objects:
            numbers = (", ".join(f"{v:.2f}" for v in values) for values in (thing.box.center, thing.box.size))
            table.add_row(str(thing.id), Text(thing.label), *numbers)
        Console().print(table)
    if (out / "scene").is_dir():
        print(f"Next: spaceland view {out / 'scene'}")
