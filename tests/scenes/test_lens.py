"""Straightening: known points land where the pinhole camera says, and nothing beyond the lens's image is made up."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spaceland.errors import SceneError
from spaceland.scenes.lens import Lens, straighten

FISHEYE = Lens("OPENCV_FISHEYE", 400, 300, 230.0, 228.0, 203.0, 147.0, (-0.03, -0.006, 0.001, -0.0005))
PHONE = Lens("OPENCV", 400, 300, 330.0, 331.0, 203.0, 147.0, (0.09, -0.08, 0.001, -0.002))
ROUND = Lens("OPENCV", 400, 300, 330.0, 330.0, 200.0, 150.0, (-0.2, 0.05, 0.0, 0.0))
LENSES = pytest.mark.parametrize("lens", [FISHEYE, PHONE, ROUND], ids=["fisheye", "phone", "radial"])


@LENSES
def test_project_and_unproject_are_inverse(lens: Lens) -> None:
    pixels = np.random.default_rng(0).uniform([0, 0], [400, 300], (500, 2))
    assert np.allclose(lens.project(lens.unproject(pixels)), pixels, atol=1e-6)


def test_fisheye_by_hand() -> None:
    """A ray at 45 degrees without coefficients lies at f * pi / 4; with k1 at f * theta (1 + k1 theta^2)."""
    plain = Lens("OPENCV_FISHEYE", 400, 300, 100.0, 100.0, 200.0, 150.0, (0.0,) * 4)
    assert np.allclose(plain.project(np.array([[1.0, 0.0]])), [200 + 100 * np.pi / 4, 150])
    bent = Lens("OPENCV_FISHEYE", 400, 300, 100.0, 100.0, 200.0, 150.0, (0.1, 0.0, 0.0, 0.0))
    theta = np.pi / 4
    assert np.allclose(bent.project(np.array([[0.0, 1.0]])), [200, 150 + 100 * theta * (1 + 0.1 * theta**2)])


@LENSES
def test_known_points_land_where_the_pinhole_camera_projects_them(lens: Lens) -> None:
    """A spot is painted where the lens sees a point; when straight it must be where the pinhole camera sees it."""
    camera = lens.pinhole()
    u, v = np.meshgrid(np.arange(400) + 0.5, np.arange(300) + 0.5)
    for target in [(60.0, 50.0), (200.0, 150.0), (350.0, 60.0), (90.0, 250.0), (330.0, 240.0)]:
        point = camera.unproject(np.array(target), np.array(2.5))
        x, y = lens.project(point[None, :2] / point[2])[0]
        spot = (255 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / 8)).astype(np.uint8)
        result = straighten(np.repeat(spot[..., None], 3, 2), lens)[..., 0].astype(float)
        found = np.array([(result * u).sum(), (result * v).sum()]) / result.sum()
        assert np.allclose(found, target, atol=0.25)


@LENSES
def test_the_straight_image_holds_only_what_the_lens_saw(lens: Lens) -> None:
    camera = lens.pinhole()
    corners = np.array([[0, 0], [400, 0], [0, 300], [400, 300], [200, 0], [0, 150]], dtype=float)
    rays = camera.unproject(corners, np.ones(6))[:, :2]
    pixels = lens.project(rays)
    assert (pixels >= -1e-6).all() and (pixels <= [400 + 1e-6, 300 + 1e-6]).all()
    # It is the largest such image: in one direction a border of it touches the lens's.
    border = lens.project(camera.pixel_rays()[..., :2])
    assert min(border[..., 0].min(), 400 - border[..., 0].max(), border[..., 1].min(), 300 - border[..., 1].max()) < 1.0


@LENSES
def test_cubic_and_linear_see_the_same_places(lens: Lens) -> None:
    """On a picture whose shades change slowly they agree to one grey level."""
    pytest.importorskip("cv2", reason="cubic needs opencv (extra recon)", exc_type=ImportError)
    u, v = np.meshgrid(np.arange(400), np.arange(300))
    shades = np.stack([127 + 60 * np.sin(u / 30) + 60 * np.cos(v / 25), u / 2, v / 2], -1).astype(np.uint8)
    cubic, linear = straighten(shades, lens, "cubic"), straighten(shades, lens)
    assert np.abs(cubic.astype(int) - linear).max() <= 1


@LENSES
def test_a_lens_as_plain_values(lens: Lens) -> None:
    assert Lens.from_json(json.loads(json.dumps(lens.to_json()))) == lens
    for record in ({}, [], None, {**lens.to_json(), "fx": "wide"}, {**lens.to_json(), "coefficients": [0.1]}):
        with pytest.raises(ValueError):
            Lens.from_json(record)


@LENSES
def test_pixels_move_with_the_picture(lens: Lens) -> None:
    ray = np.array([[0.21, -0.3]])
    expected, _ = lens.pinhole().project(np.c_[ray, 1.0])
    np.testing.assert_allclose(lens.to_pinhole(lens.project(ray)), expected, atol=1e-6)


def test_bending_is_that_of_the_corners() -> None:
    """With k1 the ray r of a corner lands at r + k1 r^3: at 0.5 and k1 = 0.1 that is f * 0.0125 away."""
    assert replace(PHONE, coefficients=(0.0,) * 4).bending_px == pytest.approx(0.0, abs=1e-9)
    bent = 0.5 + 0.1 * 0.5**3
    lens = Lens("OPENCV", 600, 800, 500 / bent, 500 / bent, 300.0, 400.0, (0.1, 0.0, 0.0, 0.0))
    assert lens.bending_px == pytest.approx(500 / bent * 0.1 * 0.5**3)


def test_a_lens_that_folds_is_not_sane() -> None:
    assert all(lens.is_sane for lens in (FISHEYE, PHONE, ROUND, Lens("PINHOLE", 4, 3, 2.0, 2.0, 2.0, 1.5)))
    folds = Lens("OPENCV", 640, 480, 300.0, 300.0, 320.0, 240.0, (-0.6, 0.0, 0.0, 0.0))
    assert not folds.is_sane
    with pytest.raises(SceneError, match="no straight image"):
        folds.pinhole()


def test_nearest_keeps_values() -> None:
    ids = np.random.default_rng(0).integers(0, 5, (300, 400)).astype(np.int32)
    result = straighten(ids, FISHEYE, "nearest")
    assert result.dtype == ids.dtype and set(np.unique(result)) <= set(range(5))


def test_impossible_lenses_are_refused() -> None:
    with pytest.raises(ValueError, match="not known"):
        Lens("FOV", 4, 3, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="coefficients"):
        Lens("OPENCV", 4, 3, 1.0, 1.0, 1.0, 1.0, (0.1,))
    with pytest.raises(SceneError, match="no straight image"):
        Lens("OPENCV", 400, 300, 300.0, 300.0, 900.0, 150.0, (-9.0, -9.0, 3.0, 3.0)).pinhole()
