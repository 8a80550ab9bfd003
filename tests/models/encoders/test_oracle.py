"""The oracle says the truth, in the first frame's axes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch

from spaceland.errors import EncoderError
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.encoders.oracle import Oracle, patch_means, waves
from spaceland.models.types import FrameTruth

FRAMES = torch.zeros(2, 3, 28, 42)


def rigid(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator))
    T = torch.eye(4)
    T[:3, :3] = q * torch.det(q)
    T[:3, 3] = torch.randn(3, generator=generator)
    return T


def truth() -> FrameTruth:
    generator = torch.Generator().manual_seed(0)
    points = 4 * torch.randn(2, 28, 42, 3, generator=generator)
    return FrameTruth(points, torch.stack([rigid(1), rigid(2)]))


def moved(found: FrameTruth, T: torch.Tensor) -> FrameTruth:
    return FrameTruth(found.points @ T[:3, :3].T + T[:3, 3], T @ found.T_world_cam)


def test_tokens_hold_mean_points_in_the_first_camera() -> None:
    oracle, given = Oracle(), truth()
    found = oracle.encode(FRAMES, truth=given)
    tokens = found.tokens[0]
    assert tokens.shape == (2, 2, 3, oracle.spec.dim)
    assert found.camera is not None and found.camera.shape == (2, oracle.spec.camera_dim)
    patch = given.points[1, 14:28, 28:42].reshape(-1, 3)
    T_first_world = torch.linalg.inv(given.T_world_cam[0])
    expected = waves(patch.mean(0) @ T_first_world[:3, :3].T + T_first_world[:3, 3])
    assert torch.allclose(tokens[1, 1, 2, : len(expected)], expected, atol=1e-4)
    # The first camera stands in the origin and looks along z.
    assert torch.allclose(found.camera[0], waves(torch.tensor([0.0, 0, 0, 0, 0, 4.0])), atol=1e-4)


def test_the_choice_of_world_changes_nothing() -> None:
    first, second = (Oracle().encode(FRAMES, truth=given) for given in (truth(), moved(truth(), rigid(7))))
    assert torch.allclose(first.tokens[0], second.tokens[0], atol=2e-3)


def test_unknown_points_leave_no_trace() -> None:
    given = truth()
    given.points[0, :14, :14] = torch.nan
    given.points[0, 14:, :14] = torch.nan
    given.points[0, 20, 3] = torch.tensor([1.0, 2, 3])
    means, known = patch_means(given.points, 14)
    assert not known[0, 0, 0] and known[0, 1, 0] and torch.equal(means[0, 1, 0], torch.tensor([1.0, 2, 3]))
    tokens = Oracle().encode(FRAMES, truth=given).tokens[0]
    assert tokens.isfinite().all()
    assert tokens[0, 0, 0, :48].eq(0).all() and tokens[0, 0, 0, -2:].tolist() == [0, 1]
    nothing = FrameTruth(torch.full_like(given.points, torch.nan), given.T_world_cam)
    assert Oracle().encode(FRAMES, truth=nothing).tokens[0].isfinite().all()


def test_nearby_places_differ_and_far_ones_are_not_the_same() -> None:
    places = torch.arange(-15, 15, 0.05)[:, None]
    apart = torch.cdist(waves(places), waves(places)) + 10 * torch.eye(len(places))
    assert apart.min() > 0.3


def test_what_it_refuses() -> None:
    with pytest.raises(EncoderError, match="sample rooms"):
        Oracle().encode(FRAMES)
    with pytest.raises(EncoderError, match="expected those of frames"):
        Oracle().encode(FRAMES[:1], truth=truth())
    with pytest.raises(EncoderError, match="predicts nothing"):
        Oracle().predict(FRAMES)
    for text in ("oracle:folder", "random:oracle"):
        with pytest.raises(EncoderError, match="write oracle alone"):
            open_encoder(text)


def test_opened_by_name_and_as_a_control() -> None:
    oracle = open_encoder("oracle", dtype="bfloat16")
    assert oracle is not None and "never a result" in oracle.spec.licence
    assert oracle.encode(FRAMES, truth=truth()).tokens[0].dtype == torch.bfloat16
    zeros, shuffled = open_encoder("zeros:oracle"), open_encoder("shuffled:oracle")
    assert zeros.encode(FRAMES).tokens[0].shape == (2, 2, 3, oracle.spec.dim)
    # Two frames can only change places.
    want = Oracle().encode(FRAMES, truth=FrameTruth(truth().points.flip(0), truth().T_world_cam.flip(0))).tokens[0]
    assert torch.equal(shuffled.encode(FRAMES, truth=truth()).tokens[0], want)
