"""`spaceland reconstruct`: from a video, pictures or posed depth to a level scene with objects."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from spaceland.commands.stages import DEFAULT, Stages

if TYPE_CHECKING:
    from spaceland.pipeline.run import Prepared

StageName = Literal["keyframes", "poses", "depth", "scene", "objects"]


def reconstruct(
    source: tyro.conf.Positional[str],
    *,
    out: Path = Path("out/reconstructed"),
    scene: str | None = None,
    stages: Stages = DEFAULT,
    redo: StageName | None = None,
) -> int:
    """A level scene in metres, with a fused mesh and objects, from a video, pictures or posed depth.

    Every stage keeps its result in a folder of its own below --out: keyframes, poses, depth, scene, objects. A second
    run goes on where the first ended; what is unchanged is kept. docs/reconstruct.md tells how to look at each stage,
    and how to put a result of your own in its place.

        spaceland reconstruct room.mp4 --out out/room --scale camera-height=1.5
        spaceland reconstruct 'phone:scan.r3d' --out out/scan
        spaceland view out/room

    Args:
        source: A video file, a folder of pictures, or posed depth such as rgbd:kitchen or phone:scan.r3d.
        out: Folder for the stages.
        scene: Scene id, needed when the source holds several.
        stages: Settings of the stages.
        redo: Make this stage anew; those after it follow.
    """
    from spaceland.pipeline.run import prepare
    from spaceland.progress import progress_bar

    prepared = prepare(source, out, stages, scene_id=scene, bars=progress_bar, say=print, redo=redo)
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
        unit = "m" if scene.scale_known else "unit unknown"
        title = f"{len(scene.objects)} objects of {scene.id}"
        table = Table("id", "object", f"centre ({unit})", f"size ({unit})", title=title)
        for thing in scene.objects:
            numbers = (", ".join(f"{v:.2f}" for v in values) for values in (thing.box.center, thing.box.size))
            table.add_row(str(thing.id), Text(thing.label), *numbers)
        Console().print(table)
    if (out / "scene").is_dir():
        print(f"Next: spaceland view {shlex.quote(str(out))}")
