"""Checks of images, cameras and poses, used by `check.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.geometry.transforms import invert_rigid, transform_points
from spaceland.scenes.check import Finding, spread
from spaceland.scenes.points import depth_camera, frame_points
from spaceland.scenes.scene import Frame, Scene

_MIN_OVERLAP_PX = 300
_PAIRS = 8
_MOTIONS = ((0.4, 25.0), (0.15, 10.0), (0.0, 0.0))  # metres or degrees; the wide pair is tried first


def check_images(scene: Scene, sample: Sequence[Frame]) -> tuple[list[Finding], list[Frame]]:
    """Decodes the sample. Also returns its frames whose depth is readable and has values, for the later checks."""
    findings: list[Finding] = []
    missing = [f for f in scene.frames if f.color_path is not None and not f.color_path.is_file()]
    if missing:
        findings.append(Finding("error", f"colour files that do not exist, first {missing[0].id}", len(missing)))
    there = [frame for frame in sample if frame not in missing]
    for word, readers in (
        ("colour images", [(f, f.color) for f in there]),
        ("object id maps", [(f, f.object_ids) for f in sample if f.object_ids is not None]),
    ):
        bad = [problem for frame, reader in readers if (problem := _problem(frame, reader))]
        if bad:
            findings.append(Finding("error", f"{word} that cannot be read (of {len(readers)} tried)", len(bad), bad[0]))
    depth_findings, usable = _check_depth(sample)
    return findings + depth_findings, usable


def _problem(frame: Frame, reader: Callable[[], np.ndarray] | None) -> str | None:
    try:
        image = reader() if reader is not None else np.zeros((1, 1))
    except SceneError as error:
        return str(error)
    if reader == frame.color and image.shape[:2] != (frame.camera.height, frame.camera.width):
        return (
            f"frame {frame.id} is {image.shape[1]}x{image.shape[0]}, camera {frame.camera.width}x{frame.camera.height}"
        )
    return None


def _check_depth(sample: Sequence[Frame]) -> tuple[list[Finding], list[Frame]]:
    broken, empty, usable, shares, ranges = [], [], [], [], []
    for frame in sample:
        if frame.depth is None:
            continue
        try:
            depth = np.asarray(frame.depth())
        except SceneError as error:
            broken.append(str(error))
            continue
        camera = depth_camera(frame)
        if depth.shape != (camera.height, camera.width):
            broken.append(
                f"frame {frame.id}: depth {depth.shape[1]}x{depth.shape[0]}, camera {camera.width}x{camera.height}"
            )
            continue
        known = depth[np.isfinite(depth) & (depth > 0)]
        if len(known) == 0:
            empty.append(frame.id)
            continue
        usable.append(frame)
        shares.append(len(known) / depth.size)
        ranges.append(np.percentile(known, [1, 50, 99]))
    tried = len(broken) + len(empty) + len(usable)
    findings = []
    if broken:
        findings.append(
            Finding("error", f"depth images that cannot be read (of {tried} tried)", len(broken), broken[0])
        )
    if empty:
        level = "error" if len(empty) == tried else "warn"
        findings.append(
            Finding(level, f"depth images without any value, first {empty[0]}", len(empty), "export depth again")
        )
    if not usable:
        return findings, usable
    share = float(np.median(shares))
    low, middle, high = np.median(ranges, axis=0)
    hint = "most of the depth is unknown: is depth_scale right?" if share < 0.3 else ""
    text = f"depth {low:.2f} to {high:.2f} m (median {middle:.2f}), {share:.1%} of the pixels known"
    findings.append(Finding("warn" if share < 0.3 else "info", text, len(usable), hint))
    if not 0.15 <= middle <= 40:
        guess = "too small" if middle < 0.15 else "too large"
        findings.append(
            Finding(
                "warn",
                f"median depth of {middle:.3g} m is {guess} for a room",
                0,
                "depth counts may not be millimetres",
            )
        )
    return findings, usable


def check_cameras(scene: Scene) -> list[Finding]:
    """Intrinsics that do not belong to the image size."""
    odd = []
    for frame in scene.frames:
        for camera in {frame.camera, depth_camera(frame)}:
            off = max(abs(camera.cx / camera.width - 0.5), abs(camera.cy / camera.height - 0.5))
            fov_deg = np.degrees(2 * np.arctan(camera.width / 2 / camera.fx))
            if off > 0.15:
                odd.append(f"principal point ({camera.cx:.0f}, {camera.cy:.0f}) in {camera.width}x{camera.height}")
            elif not 25 <= fov_deg <= 130 or not 0.8 <= camera.fx / camera.fy <= 1.25:
                odd.append(f"field of view of {fov_deg:.0f} deg, fx / fy = {camera.fx / camera.fy:.2f}")
    if not odd:
        return []
    hint = f"{odd[0]}: the intrinsics may belong to another image size"
    return [Finding("warn", "cameras with unlikely intrinsics", len(odd), hint)]


def check_poses(scene: Scene) -> list[Finding]:
    """How far the camera moves from frame to frame, and where it jumps."""
    if len(scene.frames) < 2:
        return []
    poses = np.stack([frame.T_world_cam for frame in scene.frames])
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    relative = np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3]
    turns_deg = np.degrees(np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    text = f"camera path of {steps.sum():.2f} m, steps of {np.median(steps):.3f} m and {np.median(turns_deg):.1f} deg"
    findings = [Finding("info", text)]
    if steps.max() < 1e-6 and turns_deg.max() < 1e-3:
        findings.append(Finding("error", "all frames have the same pose", len(poses), "the pose files may be wrong"))
    # Sparse frames are far apart everywhere; a jump stands out from the steps around it.
    jumps = (steps > np.maximum(0.5, 8 * np.median(steps))) | (turns_deg > np.maximum(45, 8 * np.median(turns_deg)))
    if jumps.any():
        k = int(np.argmax(jumps))
        text = (
            f"camera jumps, first by {steps[k]:.2f} m and {turns_deg[k]:.0f} deg before frame {scene.frames[k + 1].id}"
        )
        findings.append(Finding("warn", text, int(jumps.sum()), "tracking may have been lost there"))
    return findings


def check_agreement(scene: Scene, usable: Sequence[Frame]) -> list[Finding]:
    """Points of one frame seen from another: wrong poses, scale or intrinsics show as a depth difference."""
    residuals = []
    for first in spread(usable, _PAIRS):
        for moved_m, turned_deg in _MOTIONS:
            second = _partner(scene, first, moved_m, turned_deg)
            residual = None if second is None else pair_residual_m(first, second)
            if residual is not None:
                residuals.append(residual)
                break
    if not residuals:
        if len(usable) < 2:
            return []
        return [Finding("info", "frames agree with each other: not known, no two sampled frames see the same place")]
    middle, depth = np.median(residuals, axis=0)
    text = f"frames agree with each other: median |dz| = {middle:.3f} m (worst pair {max(residuals)[0]:.3f} m)"
    # Relative to the depth, so that a scale that is too small cannot make disagreement look small.
    if middle < min(0.015 * depth, 0.06):
        return [Finding("info", text, len(residuals))]
    hint = "poses may drift or map the world to the camera (rgbd: pose=w2c), or depth_scale or intrinsics are wrong"
    return [Finding("warn" if middle < min(0.05 * depth, 0.2) else "error", text, len(residuals), hint)]


def _partner(scene: Scene, frame: Frame, moved_m: float, turned_deg: float) -> Frame | None:
    """The next frame (else the last before) after so much camera motion; before that, even wrong poses agree."""
    place = scene.frames.index(frame)
    near = (*scene.frames[place + 1 : place + 100], *scene.frames[max(0, place - 100) : place][::-1])
    with_depth = [other for other in near if other.depth is not None]
    if not with_depth:
        return None
    poses = np.stack([other.T_world_cam for other in with_depth])
    moved = np.linalg.norm(poses[:, :3, 3] - frame.T_world_cam[:3, 3], axis=1) >= moved_m
    traces = np.einsum("ij,nij->n", frame.T_world_cam[:3, :3], poses[:, :3, :3])
    enough = moved | (traces <= 1 + 2 * np.cos(np.radians(turned_deg)))
    return with_depth[int(np.argmax(enough))] if enough.any() else None


def pair_residual_m(first: Frame, second: Frame) -> tuple[float, float] | None:
    """Median |dz| between points of one frame and the depth of another, and median depth, in metres.

    Both ways are tried and the smaller |dz| counts: what one camera sees behind an edge, the other need not. None if
    the frames hardly overlap.
    """
    found = [value for pair in ((first, second), (second, first)) if (value := _one_way(*pair)) is not None]
    return min(found) if found else None


def _one_way(first: Frame, second: Frame) -> tuple[float, float] | None:
    try:
        assert second.depth is not None
        points: Float[np.ndarray, "n 3"] = frame_points(first, step=4)
        depth = np.asarray(second.depth())
    except SceneError:
        return None
    camera = depth_camera(second)
    uv, z = camera.project(transform_points(invert_rigid(second.T_world_cam), points))
    inside = camera.contains(uv)
    column, row = uv[inside].astype(int).T
    seen = depth[row, column]
    known = seen > 0
    if known.sum() < max(_MIN_OVERLAP_PX, 0.1 * len(points)):
        return None
    seen = seen[known].astype(float)
    return float(np.median(np.abs(z[inside][known] - seen))), float(np.median(seen))
