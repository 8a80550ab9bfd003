"""What the stages of `run.prepare` do: from plain pictures, or from posed depth, to a level scene in metres."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from spaceland.errors import DependencyError, SceneError, require
from spaceland.pipeline.config import DEFAULTS, PipelineConfig
from spaceland.pipeline.estimators import is_encoder, pose_estimator
from spaceland.reconstruct.capture import Capture, open_capture
from spaceland.reconstruct.estimate_io import read_estimate, write_estimate
from spaceland.reconstruct.stages import StageResult
from spaceland.reconstruct.types import CaptureImage, DepthEstimator, Estimate
from spaceland.scenes.folder import read_scene
from spaceland.scenes.images import pick
from spaceland.scenes.scene import Scene

Bars = Callable[[str, int], AbstractContextManager[Callable[[int, str], None]]]
"""`bars(label, total)` opens a progress bar, as `spaceland.progress.progress_bar` does."""


class Runner(Protocol):
    """Runs stages in order (see `run.prepare`)."""

    def run(self, name: str, settings: Mapping[str, Any], make: Callable[[Path], Mapping[str, Any]]) -> StageResult: ...

    def note(self, text: str) -> None: ...

    def bar(self, label: str, total: int) -> AbstractContextManager[Callable[[int, str], None]]: ...


@contextlib.contextmanager
def without_bars(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Bars that show nothing."""
    yield lambda steps, note: None


def from_capture(path: Path, config: PipelineConfig, runner: Runner) -> Scene:
    """A scene from a video file or a folder of pictures.

    Raises:
        DependencyError: the extra `recon` is not installed.
        ReconstructionError: the pictures do not suffice; the message says why.
    """
    for module in ("cv2", "pycolmap", "open3d"):
        require(module, "recon")
    _quiet_termination()
    capture = open_capture(path)
    keyframes = _keyframes(capture, config, runner)
    poses = _poses(keyframes, config, runner)
    geometry = poses
    if not _has_depth(poses.folder):
        geometry = _depth(keyframes, poses, config, runner)
    elif config.depth != DEFAULTS.depth:
        runner.note(f"--depth {config.depth} is not used: the estimator of the poses gives depth")
    if config.focal_px is not None and is_encoder(config.poses):
        runner.note(f"--focal-px {config.focal_px:g} is not used: {config.poses} finds the lens by itself")
    return _scene_of_estimate(folder_name(capture.id), keyframes, geometry, config, runner)


def _quiet_termination() -> None:
    """Give SIGTERM back to Python: importing pycolmap takes it, to print a native stack trace before it ends."""
    import pycolmap  # noqa: F401

    wanted = signal.getsignal(signal.SIGTERM)  # what Python knows of, which pycolmap does not change
    if wanted is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, wanted)


def folder_name(name: str) -> str:
    """A name that can be a folder inside another: files are named as their owners like.

    >>> folder_name("living room"), folder_name(".."), folder_name("a/b:c")
    ('living room', 'room', 'a_b_c')
    """
    return "".join(c if c.isprintable() and c not in "/\\:" else "_" for c in name).lstrip(".").strip() or "room"


def _keyframes(capture: Capture, config: PipelineConfig, runner: Runner) -> StageResult:
    from spaceland.reconstruct.capture_files import write_pictures
    from spaceland.reconstruct.keyframes import choose_keyframes

    def make(folder: Path) -> Mapping[str, Any]:
        with runner.bar("looking at pictures", len(capture.images)) as advance:
            chosen = choose_keyframes(capture, config.keyframes, config.keyframe_method, progress=advance)
        with runner.bar("keyframes", len(chosen.indices)) as advance:
            written = write_pictures(capture, chosen.indices, folder, advance)
        counts = {"pictures": len(capture.images), "written": len(written.images)}
        return {**chosen.report, **counts, "skipped": dict(written.skipped)}

    settings = {
        "capture": capture.pictures.fingerprint(),
        "budget": config.keyframes,
        "method": config.keyframe_method,
    }
    stage = runner.run("keyframes", settings, make)
    for reason, count in stage.report.get("skipped", {}).items():
        runner.note(f"left out: {count} {reason}")
    return stage


def _poses(keyframes: StageResult, config: PipelineConfig, runner: Runner) -> StageResult:
    from spaceland.reconstruct.capture_files import read_pictures

    def make(folder: Path) -> Mapping[str, Any]:
        images = read_pictures(keyframes.folder).images
        with runner.bar("poses", len(images)) as advance:
            estimate = pose_estimator(config).estimate(images, advance)
        write_estimate(estimate, folder)
        return {"pictures": len(images), "posed": len(estimate.views), **estimate.report}

    return runner.run("poses", {"poses": config.poses, "focal_px": config.focal_px}, make)


def _has_depth(folder: Path) -> bool:
    """Whether all views of an estimate carry depth."""
    views = read_estimate(folder).views
    return bool(views) and all(view.depth is not None for view in views)


def _straight_pictures(keyframes: StageResult, estimate: Estimate) -> Sequence[CaptureImage]:
    """The keyframes as the cameras of the estimate see them."""
    from spaceland.reconstruct.capture_files import read_pictures
    from spaceland.reconstruct.lens import undistort_images

    return undistort_images(read_pictures(keyframes.folder).images, estimate)


def _depth(keyframes: StageResult, poses: StageResult, config: PipelineConfig, runner: Runner) -> StageResult:
    def make(folder: Path) -> Mapping[str, Any]:
        estimate = read_estimate(poses.folder)
        images = _straight_pictures(keyframes, estimate)
        with runner.bar("depth", len(estimate.views)) as advance:
            dense = _estimator(config.depth).densify(estimate, images, advance)
        write_estimate(dense, folder)
        known = [float((view.depth > 0).mean()) for view in dense.views if view.depth is not None]
        filled = sum(known) / len(dense.views) if dense.views else 0.0
        return {"views": len(dense.views), "with_depth": len(known), "filled_share": round(filled, 4)}

    return runner.run("depth", {"depth": config.depth}, make)


def _estimator(name: str) -> DepthEstimator:
    if name.startswith("mono:"):
        from spaceland.reconstruct.mono_depth import MonoDepthEstimator

        return MonoDepthEstimator(name.removeprefix("mono:"))
    from spaceland.reconstruct.stereo import StereoDepthEstimator

    return StereoDepthEstimator()


def _scene_of_estimate(
    scene_id: str, keyframes: StageResult, geometry: StageResult, config: PipelineConfig, runner: Runner
) -> Scene:
    from spaceland.reconstruct.assemble import reconstruct_estimate
    from spaceland.reconstruct.fuse import progress_steps
    from spaceland.reconstruct.scale import ScaleHint

    hint = ScaleHint.parse(config.scale) if config.scale else None

    def make(folder: Path) -> Mapping[str, Any]:
        estimate = read_estimate(geometry.folder)
        images = _straight_pictures(keyframes, estimate)
        with runner.bar("scene", progress_steps(len(estimate.views))) as advance:
            made = reconstruct_estimate(
                estimate, images, scene_id=scene_id, hint=hint, source={"kind": "capture"}, progress=advance
            )
        return _save(made, folder)

    return _read(runner.run("scene", {"scale": hint.text if hint else None, "id": scene_id}, make), scene_id, runner)


def from_posed(scene: Scene, key: str, config: PipelineConfig, runner: Runner) -> Scene:
    """A posed scene as it is; posed depth without a surface and without objects is fused and levelled first.

    Args:
        key: Changes when the scene does.
    """
    fused = scene.surface is not None and len(scene.surface.vertices) > 0
    if fused or scene.objects or not any(frame.depth is not None for frame in scene.frames):
        return scene
    try:
        require("open3d", "recon")
    except DependencyError as error:
        runner.note(f"depth images are shown as points and the world is taken as it is: {error}")
        return scene
    from spaceland.reconstruct.assemble import reconstruct_scene
    from spaceland.reconstruct.fuse import progress_steps
    from spaceland.reconstruct.scale import ScaleHint

    hint = ScaleHint.parse(config.scale) if config.scale else None
    chosen = replace(scene, frames=tuple(pick(scene.frames, 1, config.max_frames)))

    def make(folder: Path) -> Mapping[str, Any]:
        with runner.bar("scene", progress_steps(len(chosen.frames))) as advance:
            made = reconstruct_scene(chosen, hint=hint, progress=advance)
        return _save(made, folder)

    settings = {"source": key, "scale": hint.text if hint else None, "max_frames": config.max_frames}
    return _read(runner.run("scene", settings, make), scene.id, runner)


def _save(made: Any, folder: Path) -> Mapping[str, Any]:
    """Write a `Reconstruction` as a scene folder; what it says of itself."""
    from spaceland.scenes.folder_write import write_scene

    write_scene(made.scene, folder / folder_name(made.scene.id))
    surface = made.scene.surface
    return {
        "scene": folder_name(made.scene.id),
        "frames": len(made.scene.frames),
        "vertices": 0 if surface is None else len(surface.vertices),
        "metric": made.scale.metric,
        "scale_source": made.scale.source,
        "floor_found": made.fix.floor_found,
        "warnings": list(made.warnings),
    }


def _read(stage: StageResult, scene_id: str, runner: Runner) -> Scene:
    for warning in stage.report.get("warnings", ()):
        runner.note(str(warning))
    if not stage.report.get("metric", True):
        runner.note(
            "lengths are right only in proportion to each other, since nothing says how long a metre is here; give a "
            "length that you know, such as --scale camera-height=1.45"
        )
    folder = stage.folder / folder_name(scene_id)
    if not folder.is_dir():
        raise SceneError(f"{stage.folder} holds no scene '{scene_id}'; remove the folder to make it anew")
    return read_scene(folder)
