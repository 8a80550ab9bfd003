"""Poses of a real video against the true ones of the same pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spaceland.geometry.alignment import similarity_alignment
from spaceland.reconstruct.capture import open_capture
from spaceland.reconstruct.capture_files import write_pictures
from spaceland.reconstruct.keyframes import choose_keyframes
from spaceland.reconstruct.sfm import SfmEstimator

pytest.importorskip("pycolmap", reason="structure from motion needs pycolmap (extra recon)", exc_type=ImportError)


@pytest.mark.real
@pytest.mark.heavy
def test_red_kitchen(real_data: Path, tmp_path: Path) -> None:
    """Video frame j is raw frame 3 j, and every fifth video frame has a true pose.

    Keyframes need not be fifth ones, so to every third keyframe the nearest fifth one is posed with the others; nothing
    is interpolated.
    """
    capture = open_capture(real_data / "videos" / "redkitchen_10fps.mp4")
    keyframes = choose_keyframes(capture, 42).indices
    with_truth = {5 * round(k / 5) for k in keyframes[::3]} & set(range(len(capture.images)))
    images = write_pictures(capture, sorted({*keyframes, *with_truth}), tmp_path).images
    estimate = SfmEstimator().estimate(images)
    index_of = {image.id: image.index for image in images}
    registered = {index_of[view.id] for view in estimate.views}
    assert len(registered & set(keyframes)) >= 0.8 * len(keyframes)

    found, true = [], []
    for view in estimate.views:
        pose = real_data / "7scenes_redkitchen" / f"frame-{3 * index_of[view.id]:06d}.pose.txt"
        if pose.exists():
            found.append(view.T_world_cam[:3, 3])
            true.append(np.loadtxt(pose)[:3, 3])
    assert len(found) >= 12
    alignment = similarity_alignment(np.array(found), np.array(true))
    errors_m = np.linalg.norm(alignment.apply(np.array(found)) - np.array(true), axis=1)
    print(
        f"{len(registered)} of {len(images)} posed, {len(found)} compared: median {np.median(errors_m):.4f} m, "
        f"90 % {np.quantile(errors_m, 0.9):.4f} m; {dict(estimate.report)}"
    )
    assert np.median(errors_m) <= 0.06
    assert estimate.report["focal_px"] == pytest.approx(527, rel=0.03)
