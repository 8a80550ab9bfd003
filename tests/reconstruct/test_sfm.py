"""Structure from motion on rooms with exact poses, and on captures that cannot be posed."""

from __future__ import annotations

import numpy as np
import pytest
from captures import in_memory, scenery

from spaceland.errors import ReconstructionError
from spaceland.geometry.alignment import similarity_alignment
from spaceland.reconstruct.lens import lens_of, undistort_images
from spaceland.reconstruct.sfm import SfmEstimator, SfmSettings
from spaceland.reconstruct.types import Estimate
from spaceland.scenes.lens import Lens
from spaceland.scenes.scene import Frame, Scene
from spaceland.scenes.sources import open_scene

cv2 = pytest.importorskip("cv2", reason="pictures are straightened with opencv (extra recon)", exc_type=ImportError)
pytest.importorskip("pycolmap", reason="structure from motion needs pycolmap (extra recon)", exc_type=ImportError)


@pytest.fixture(scope="module")
def room() -> Scene:
    return open_scene("rooms:7")


def _center_errors_m(estimate: Estimate, frames: list[Frame]) -> np.ndarray:
    true = {f"frame_{k:06d}": frame.T_world_cam[:3, 3] for k, frame in enumerate(frames)}
    found = np.array([view.T_world_cam[:3, 3] for view in estimate.views])
    expected = np.array([true[view.id] for view in estimate.views])
    return np.linalg.norm(similarity_alignment(found, expected).apply(found) - expected, axis=1)


def _check_consistent(estimate: Estimate, error_px: float) -> None:
    """Points project to where they were observed, in the views as returned."""
    assert estimate.points is not None and not estimate.metric and estimate.scale_source == "unknown"
    points = estimate.points
    for number, view in enumerate(estimate.views):
        mine = points.view == number
        inverse = np.linalg.inv(view.T_world_cam)
        in_camera = points.xyz[points.point[mine]] @ inverse[:3, :3].T + inverse[:3, 3]
        pixels, z = view.camera.project(in_camera)
        assert (z > 0).all()
        assert np.median(np.linalg.norm(pixels - points.pixel[mine], axis=1)) < error_px


def test_a_few_pictures_of_a_room(room: Scene) -> None:
    frames = list(room.frames[:7])
    estimate = SfmEstimator().estimate(in_memory([frame.color() for frame in frames]))
    assert len(estimate.views) + len(estimate.lost) == 7 and len(estimate.views) >= 6
    assert np.median(_center_errors_m(estimate, frames)) < 0.04
    _check_consistent(estimate, 1.0)


@pytest.mark.heavy
def test_a_walk_through_a_room(room: Scene) -> None:
    frames = list(room.frames[:20])
    images = in_memory([frame.color() for frame in frames])
    estimate = SfmEstimator().estimate(images)
    assert not estimate.lost and estimate.report["registered_share"] == 1.0
    assert np.median(_center_errors_m(estimate, frames)) < 0.03
    assert estimate.report["focal_px"] == pytest.approx(frames[0].camera.fx, rel=0.01)
    assert estimate.report["distortion_at_corner_px"] < 2


@pytest.mark.heavy
def test_the_same_pictures_give_the_same_bytes(room: Scene) -> None:
    images = in_memory([frame.color() for frame in room.frames[:8]])
    estimate, again = SfmEstimator().estimate(images), SfmEstimator().estimate(images)
    for a, b in zip(estimate.views, again.views, strict=True):
        np.testing.assert_array_equal(a.T_world_cam, b.T_world_cam)
    assert estimate.points is not None and again.points is not None
    np.testing.assert_array_equal(estimate.points.xyz, again.points.xyz)
    assert estimate.report == again.report


@pytest.mark.heavy
def test_a_bent_lens_is_found_and_taken_out(room: Scene) -> None:
    frames = list(room.frames[:20])
    focal_px = frames[0].camera.fx
    # The lens sees more than the pinhole picture holds; a smaller lens picture stays inside it.
    small = Lens("OPENCV", 560, 420, focal_px, focal_px, 280.0, 210.0, (-0.08, 0.0, 0.0, 0.0))
    rays = small.unproject(np.stack(np.meshgrid(np.arange(560) + 0.5, np.arange(420) + 0.5), -1))
    source = (rays * focal_px + np.array([320.0, 240.0]) - 0.5).astype(np.float32)
    bent = [cv2.remap(frame.color(), source[..., 0], source[..., 1], cv2.INTER_CUBIC) for frame in frames]
    images = in_memory(bent)
    estimate = SfmEstimator().estimate(images)
    found = lens_of(estimate)
    assert found is not None
    assert found.coefficients[0] == pytest.approx(-0.08, abs=0.015) and found.fx == pytest.approx(focal_px, rel=0.01)
    assert np.median(_center_errors_m(estimate, frames)) < 0.03
    _check_consistent(estimate, 1.0)
    straight = undistort_images(images, estimate)[0].color()
    camera = estimate.views[0].camera
    map_x = ((np.arange(560) + 0.5 - camera.cx) / camera.fx * focal_px + 320.0 - 0.5).astype(np.float32)
    map_y = ((np.arange(420) + 0.5 - camera.cy) / camera.fy * focal_px + 240.0 - 0.5).astype(np.float32)
    ideal = cv2.remap(frames[0].color(), *np.meshgrid(map_x, map_y), cv2.INTER_CUBIC)
    assert np.abs(straight.astype(int) - ideal).mean() < 4


def test_too_few_images(room: Scene) -> None:
    with pytest.raises(ReconstructionError, match="too few images"):
        SfmEstimator().estimate(in_memory([room.frames[0].color()] * 2))


def test_grey_walls_have_too_little_texture() -> None:
    rng = np.random.default_rng(0)
    shade = np.linspace(110, 140, 320)[None, :, None]
    walls = [np.clip(shade + rng.normal(0, 1.5, (240, 320, 1)), 0, 255).astype(np.uint8).repeat(3, 2) for _ in range(5)]
    with pytest.raises(ReconstructionError, match="too little texture"):
        SfmEstimator().estimate(in_memory(walls))


def test_a_still_camera_shows_too_little_motion(room: Scene) -> None:
    with pytest.raises(ReconstructionError, match="too little motion"):
        SfmEstimator().estimate(in_memory([room.frames[0].color()] * 5))


def test_pictures_of_nothing_in_common() -> None:
    with pytest.raises(ReconstructionError, match="too few matches"):
        SfmEstimator().estimate(in_memory([scenery(320, 240, seed) for seed in range(4)]))


@pytest.mark.parametrize("known", [False, pytest.param(True, marks=pytest.mark.heavy)])
def test_a_camera_that_only_turns_shows_too_little_parallax(room: Scene, known: bool) -> None:
    """A pure rotation moves the pixels of a picture by a homography, whatever is in it."""
    picture = room.frames[0].color()
    focal = room.frames[0].camera.fx
    wide = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1.0]])
    narrow = np.array([[focal, 0, 240], [0, focal, 180], [0, 0, 1.0]])
    turned = []
    for angle in np.linspace(-7, 7, 8):
        rotation, _ = cv2.Rodrigues(np.radians([angle / 3, angle, 0.0]))
        turned.append(
            cv2.warpPerspective(picture, narrow @ rotation @ np.linalg.inv(wide), (480, 360), flags=cv2.INTER_CUBIC)
        )
    with pytest.raises(ReconstructionError, match="too little parallax: a camera that only turned"):
        SfmEstimator(SfmSettings(focal_px=focal if known else None)).estimate(in_memory(turned))
