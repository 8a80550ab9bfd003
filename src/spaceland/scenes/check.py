"""What is there, what is missing and what is odd about a scene.

`check_scene` only looks; it changes nothing and raises nothing for a bad scene. Each check gives findings:

    info   frames agree with each other: median |dz| = 0.012 m
    warn   world up is 62.9 deg away from the floor's normal     hint: ?up=0.017,-0.890,-0.456
    error  colour images that cannot be read                     count 3

A finding of level "error" means that later steps will fail or be wrong; "warn" means: look at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from spaceland.scenes.scene import Frame, Scene

Level = Literal["info", "warn", "error"]
SAMPLE = 12


@dataclass(frozen=True)
class Finding:
    """One observation: `what` in words with its figures, how many things it is about, and what to do."""

    level: Level
    what: str
    count: int = 0
    hint: str = ""


def check_scene(scene: Scene, *, full: bool = False) -> list[Finding]:
    """Findings about a scene, what is there first.

    Args:
        scene: Any scene.
        full: Decode every image; otherwise `SAMPLE` frames, evenly spread.
    """
    from spaceland.scenes import check_frames, check_geometry

    sample = spread(scene.frames, len(scene.frames) if full else SAMPLE)
    images, usable = check_frames.check_images(scene, sample)
    # From here on the same few depth images are looked at by several checks; decode (or render) them once.
    scene = replace(scene, frames=tuple(_keeping_depth(frame) for frame in scene.frames))
    usable = [scene.frames_by_id[frame.id] for frame in spread(usable, SAMPLE)]
    return [
        *_content(scene),
        *(Finding("warn", f"left out, {reason}", count) for reason, count in scene.skipped.items()),
        *images,
        *check_frames.check_cameras(scene),
        *check_frames.check_poses(scene),
        *check_frames.check_agreement(scene, usable),
        *check_geometry.check_gravity_and_size(scene, usable),
        *check_geometry.check_places(scene),
        *check_geometry.check_objects(scene),
        *check_geometry.check_depth_on_surface(scene, usable),
    ]


def _keeping_depth(frame: Frame) -> Frame:
    return frame if frame.depth is None else replace(frame, depth=cache(frame.depth))


def spread(frames: Sequence[Frame], count: int) -> list[Frame]:
    """Up to `count` frames, evenly spread."""
    if len(frames) <= count:
        return list(frames)
    return [frames[round(k * (len(frames) - 1) / (count - 1))] for k in range(count)] if count > 1 else [frames[0]]


def _content(scene: Scene) -> list[Finding]:
    """What the scene holds, and what is missing for the later steps."""
    frames, surface = scene.frames, scene.surface
    num_depth = sum(frame.depth is not None for frame in frames)
    num_ids = sum(frame.object_ids is not None for frame in frames)
    findings = [
        Finding("info", f"{len(frames)} frames, {num_depth} with depth, {num_ids} with object ids", len(frames))
    ]
    if surface is None:
        findings.append(Finding("info", "no surface"))
    else:
        faces = 0 if surface.faces is None else len(surface.faces)
        kind = f"{faces} triangles" if faces else "no triangles (points only)"
        findings.append(Finding("info", f"surface of {len(surface.vertices)} vertices, {kind}", len(surface.vertices)))
    labels = len(scene.label_counts)
    findings.append(Finding("info", f"{len(scene.objects)} objects with {labels} labels", len(scene.objects)))
    room = scene.room
    findings.append(Finding("info", f"room of {room.area_m2:.1f} m2" if room else "no room outline"))
    if not frames and surface is None and not scene.objects:
        findings.append(Finding("error", "empty scene: no frames and no surface", 0, "check the path and the layout"))
    elif not frames:
        findings.append(Finding("warn", "no frames", 0, "only top views can be made of it"))
    if frames and surface is None and num_depth < len(frames):
        hint = "add depth images or a mesh: nothing tells what is hidden in these frames"
        findings.append(
            Finding("error", "frames without depth in a scene without surface", len(frames) - num_depth, hint)
        )
    if not scene.objects:
        findings.append(Finding("warn", "no objects", 0, "only questions about cameras and the room can be asked"))
    return findings
