"""How good and how fast stereo depth is on posed RGB-D frames, against their measured depth.

Goal: a median relative error of 10 % and under 1 s for a keyframe at 320 to 480 px wide, on one core.
With `--poses sfm` the poses come from the pictures alone (structure from motion), and measured depth gives the scale.

    OMP_NUM_THREADS=1 python bench/bench_stereo.py rgbd:/data/7scenes_redkitchen --every 4 --width 320
    OMP_NUM_THREADS=1 python bench/bench_stereo.py rgbd:/data/7scenes_redkitchen --poses sfm --picture depth.png
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from spaceland.geometry.camera import PinholeCamera
from spaceland.reconstruct.align_scale import ScaleFit, fit_scale, sample_depth
from spaceland.reconstruct.lens import undistort_images
from spaceland.reconstruct.sfm import SfmEstimator, SfmSettings
from spaceland.reconstruct.stereo import StereoConfig, StereoDepthEstimator
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView
from spaceland.scenes.scene import Frame
from spaceland.scenes.sources import open_source

Measured = dict[str, tuple[np.ndarray, PinholeCamera]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="rooms:7", help="any source with depth")
    parser.add_argument("--every", type=int, default=4, help="use every n-th frame as a keyframe")
    parser.add_argument("--max-frames", type=int, default=50)
    parser.add_argument("--width", type=int, default=StereoConfig().width_px)
    parser.add_argument("--poses", choices=("given", "sfm"), default="given")
    parser.add_argument("--picture", type=Path, help="write colour, stereo depth and measured depth of 4 frames here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    source = open_source(args.source)
    frames = source.open(source.ids()[0]).frames[:: args.every][: args.max_frames]
    images = [CaptureImage(f.id, k, f.camera.width, f.camera.height, f.color) for k, f in enumerate(frames)]
    measured = {f.id: (f.depth().astype(float), f.depth_camera or f.camera) for f in frames if f.depth}
    estimate, images = _posed(frames, images, args.poses)
    start, cpu = time.perf_counter(), time.process_time()
    estimate = StereoDepthEstimator(StereoConfig(width_px=args.width)).densify(estimate, images)
    count = len(estimate.views)
    print(
        f"{count} keyframes at {args.width} px: {(time.process_time() - cpu) / count:.2f} s of one core each "
        f"({(time.perf_counter() - start) / count:.2f} s elapsed), peak memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB   {estimate.report['depth']['views']}"
    )
    if not estimate.metric:
        fit = _scale(estimate, measured)
        print(f"scale {fit.scale:.4f} from measured depth, {fit.inlier_share:.0%} of {fit.num_pairs} pairs agree")
        views = (replace(v, depth=None if v.depth is None else fit.scale * v.depth) for v in estimate.views)
        estimate = replace(estimate, views=tuple(views))
    _print_errors(estimate, measured)
    if args.picture:
        _picture(estimate, images, measured).save(args.picture)


def _posed(frames: Sequence[Frame], images: list[CaptureImage], poses: str) -> tuple[Estimate, list[CaptureImage]]:
    if poses == "given":
        views = tuple(EstimatedView(f.id, f.camera, f.T_world_cam) for f in frames)
        return Estimate(views, None, True, "given poses"), images
    estimate = SfmEstimator(SfmSettings(focal_px=frames[0].camera.fx)).estimate(images)
    return estimate, list(undistort_images(images, estimate))


def _true(view: EstimatedView, measured: Measured) -> np.ndarray:
    """Measured depth at the pixels of the view's depth."""
    camera = view.depth_camera or view.camera
    return sample_depth(*measured[view.id], camera.pixel_rays().reshape(-1, 3)).reshape(camera.height, camera.width)


def _scale(estimate: Estimate, measured: Measured) -> ScaleFit:
    """Metres per unit, from up to 2,000 pixels of each view, so that each view counts alike."""
    found, known = [np.zeros(0)], [np.zeros(0)]
    for view in estimate.views:
        if view.depth is not None:
            has = np.flatnonzero(view.depth > 0)
            has = has[:: max(1, -(-len(has) // 2000))]
            found.append(view.depth.ravel()[has].astype(float))
            known.append(_true(view, measured).ravel()[has])
    return fit_scale(np.concatenate(found), np.concatenate(known), what="scale against measured depth")


def _print_errors(estimate: Estimate, measured: Measured) -> None:
    filled, of_measured, errors, trust = [], [], [], []
    for view in estimate.views:
        true = _true(view, measured) if view.depth is not None else np.zeros((1, 1))
        depth = np.zeros((1, 1)) if view.depth is None else view.depth
        both = (depth > 0) & (true > 0)
        filled.append((depth > 0).mean())
        of_measured.append(both.sum() / max((true > 0).sum(), 1))
        errors.append(np.abs(depth[both] / true[both] - 1))
        trust.append(np.zeros(0) if view.confidence is None else view.confidence[both])
    of_view = [float(np.median(e)) for e in errors if len(e)]
    error, confidence = np.concatenate(errors), np.concatenate(trust)
    print(
        f"relative error: median {np.median(error):.1%} of all pixels, {np.median(of_view):.1%} of the median view, "
        f"{np.quantile(of_view, 0.9):.1%} of the worst tenth of the views; {(error < 0.1).mean():.0%} within 10 %; "
        f"filled {np.mean(filled):.0%} of all pixels, {np.mean(of_measured):.0%} of those with measured depth"
    )
    for low, high in ((0.0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 1.01)):
        part = error[(confidence >= low) & (confidence < high)]
        if len(part):
            print(
                f"  confidence {low:.1f} to {min(high, 1):.1f}: {len(part) / len(error):4.0%} of them, "
                f"median error {np.median(part):.1%}, {(part < 0.1).mean():.0%} within 10 %"
            )


def _picture(estimate: Estimate, images: Sequence[CaptureImage], measured: Measured) -> Image.Image:
    colors = {image.id: image.color for image in images}
    rows = []
    for view in estimate.views[:: max(1, len(estimate.views) // 4)][:4]:
        if view.depth is not None:
            height, width = view.depth.shape
            color = cv2.resize(colors[view.id](), (width, height), interpolation=cv2.INTER_AREA)
            rows.append(np.hstack([color, _painted(view.depth), _painted(_true(view, measured))]))
    return Image.fromarray(np.vstack(rows))


def _painted(depth: np.ndarray) -> np.ndarray:
    """0.5 m blue to 4 m red, black where unknown."""
    level = np.clip((depth - 0.5) / 3.5 * 255, 0, 255).astype(np.uint8)
    return np.where((depth > 0)[..., None], cv2.applyColorMap(level, cv2.COLORMAP_TURBO)[..., ::-1], 0).astype(np.uint8)


if __name__ == "__main__":
    main()
