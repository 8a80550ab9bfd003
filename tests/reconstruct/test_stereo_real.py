"""Stereo depth of real colour frames against the depth that was measured with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaceland.reconstruct.align_scale import sample_depth
from spaceland.reconstruct.stereo import StereoConfig, StereoDepthEstimator
from spaceland.reconstruct.types import CaptureImage, Estimate, EstimatedView
from spaceland.scenes.sources import open_source

pytest.importorskip("cv2", reason="stereo matching needs OpenCV (extra recon)", exc_type=ImportError)


@pytest.mark.real
def test_kitchen_with_the_given_poses(real_data: Path) -> None:
    """16 frames, 20 raw frames apart. The poses are those of the depth camera, so rows agree to some pixels only."""
    source = open_source(f"rgbd:{real_data}/7scenes_redkitchen")
    frames = source.open(source.ids()[0]).frames[:64:4]
    views = tuple(EstimatedView(f.id, f.camera, f.T_world_cam) for f in frames)
    images = [CaptureImage(f.id, k, f.camera.width, f.camera.height, f.color) for k, f in enumerate(frames)]
    config = StereoConfig(width_px=320)
    out = StereoDepthEstimator(config).densify(Estimate(views, None, True, "given poses"), images)
    medians, filled = [], []
    for view, frame in zip(out.views, frames, strict=True):
        assert view.depth is not None and view.depth_camera is not None and frame.depth is not None
        # The depth camera has another focal length and the same centre: equal rays, equal depth along the axis.
        rays = view.depth_camera.pixel_rays().reshape(-1, 3)
        true = sample_depth(frame.depth(), frame.depth_camera or frame.camera, rays).reshape(view.depth.shape)
        both = (view.depth > 0) & (true > 0)
        medians.append(np.median(np.abs(view.depth[both] / true[both] - 1)))
        filled.append((view.depth > 0).mean())
    assert np.median(medians) < 0.1
    assert np.mean(filled) > 0.45
