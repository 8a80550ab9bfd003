"""Radial distortion: both directions agree, straightened pictures have no blank borders, lines are straight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from captures import in_memory

from spaceland.errors import ReconstructionError
from spaceland.reconstruct.lens import lens_of, undistort_images
from spaceland.reconstruct.types import Estimate
from spaceland.scenes.lens import Lens, straighten

pytest.importorskip("cv2", reason="straightening pictures needs opencv (extra recon)", exc_type=ImportError)


def _lens(width: int, height: int, focal_px: float, k1: float = 0.0, k2: float = 0.0) -> Lens:
    return Lens("OPENCV", width, height, focal_px, focal_px, width / 2, height / 2, (k1, k2, 0.0, 0.0))


_LENSES = [
    _lens(640, 480, 520.0),
    _lens(640, 480, 520.0, -0.12),
    _lens(640, 480, 520.0, 0.1),
    _lens(480, 640, 500.0, -0.2, 0.05),
]


def _estimate(lens: Lens | None) -> Estimate:
    return Estimate((), None, False, "unknown", report={} if lens is None else {"lens": lens.to_json()})


@pytest.mark.parametrize("lens", _LENSES)
def test_unproject_is_the_inverse_of_project(lens: Lens) -> None:
    x, y = np.meshgrid(np.linspace(0, lens.width, 21), np.linspace(0, lens.height, 21))
    pixels = np.stack([x, y], -1)
    assert lens.is_sane
    np.testing.assert_allclose(lens.project(lens.unproject(pixels)), pixels, atol=1e-6)


def test_without_distortion_a_lens_is_its_pinhole() -> None:
    camera = _LENSES[0].pinhole()
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((520, 520, 320, 240))
    assert _LENSES[0].bending_px == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("lens", _LENSES)
def test_every_straightened_pixel_comes_from_inside(lens: Lens) -> None:
    source = lens.project(lens.pinhole().pixel_rays()[..., :2])
    assert source.min() > -0.01
    assert (source <= np.array([lens.width, lens.height]) + 0.01).all()
    margin = min(source[..., 0].min(), source[..., 1].min())
    assert margin < 1.0  # and none of the picture is wasted on the tighter side


def test_a_bent_grid_becomes_straight() -> None:
    lens = _LENSES[1]
    rays = lens.unproject(np.stack(np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5), -1))
    bent = np.where((np.floor(rays * 8).sum(-1) % 2 == 0)[..., None], 230, 30).astype(np.uint8).repeat(3, -1)
    expected_rays = lens.pinhole().pixel_rays()[..., :2]
    expected = np.where(np.floor(expected_rays * 8).sum(-1) % 2 == 0, 230, 30)
    wrong = np.abs(straighten(bent, lens, "cubic")[..., 0].astype(int) - expected) > 100
    assert wrong.mean() < 0.01  # edges are jagged by up to a pixel
    assert (np.abs(bent[..., 0].astype(int) - expected) > 100).mean() > 0.05


def test_images_are_straightened_when_read() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    images = in_memory([picture])
    (straight,) = undistort_images(images, _estimate(_LENSES[1]))
    assert straight.id == images[0].id and straight.focal_px == pytest.approx(_LENSES[1].pinhole().fx)
    np.testing.assert_array_equal(straight.color(), straighten(picture, _LENSES[1], "cubic"))
    assert undistort_images(images, _estimate(None)) == tuple(images)
    assert lens_of(_estimate(_LENSES[3])) == _LENSES[3]
    with pytest.raises(ReconstructionError, match="lens was estimated for 480x640"):
        undistort_images(images, _estimate(_LENSES[3]))
    other = replace(_estimate(None), report={"lens": {"focal_px": 500.0}})
    with pytest.raises(ReconstructionError, match="lens cannot be read"):
        lens_of(other)
