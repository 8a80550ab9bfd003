"""Controls: the shapes of an encoder without its knowledge."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_vggt import frames, tiny_vggt

from spaceland.errors import EncoderError
from spaceland.models.encoders.controls import Mean, Shuffled, Zeros
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryFeatures


def test_zeros_have_the_shape_and_type_of_the_encoder() -> None:
    model, clip = tiny_vggt(), frames(2)
    want = model.encode(clip, [1, 2])
    zeros = Zeros(model.spec).to(torch.bfloat16)
    found = zeros.encode(clip, [1, 2])
    assert list(found.tokens) == [1, 2]
    assert found.tokens[1].shape == want.tokens[1].shape
    assert found.tokens[1].dtype == torch.bfloat16
    assert found.camera is not None
    assert want.camera is not None
    assert found.camera.shape == want.camera.shape
    assert not found.tokens[2].any()
    assert not zeros.state_dict()
    with pytest.raises(EncoderError, match="multiples of 14"):
        zeros.encode(clip[..., :13])
    with pytest.raises(EncoderError, match="control and predicts no geometry"):
        zeros.predict(clip)


def test_mean_is_the_same_everywhere_and_keeps_the_clip() -> None:
    model, clip = tiny_vggt(), frames(3)
    want = model.encode(clip)
    found = Mean(model).encode(clip)
    tokens = found.tokens[2]
    assert torch.equal(tokens, tokens[:1, :1, :1].expand_as(tokens))
    torch.testing.assert_close(tokens[1, 2, 3], want.tokens[2].mean((0, 1, 2)))
    assert found.camera is not None
    assert want.camera is not None
    torch.testing.assert_close(found.camera[2], want.camera.mean(0))


def test_shuffled_gives_right_features_to_wrong_frames() -> None:
    model, clip = tiny_vggt(), frames(5)
    shuffled = Shuffled(model)
    order = shuffled.order(clip)
    assert sorted(order.tolist()) == list(range(5))
    assert order.tolist() != list(range(5))
    found = shuffled.encode(clip)
    assert torch.equal(found.tokens[2], model.encode(clip[order]).tokens[2])
    assert torch.equal(found.tokens[2], shuffled.encode(clip.clone()).tokens[2])
    orders = {tuple(Shuffled(model, seed).order(clip).tolist()) for seed in range(20)}
    assert len(orders) > 5
    orders = {tuple(shuffled.order(frames(5, seed=seed)).tolist()) for seed in range(20)}
    assert len(orders) > 5
    assert all(Shuffled(model, seed).order(frames(2)).tolist() == [1, 0] for seed in range(9))
    assert torch.equal(shuffled.encode(clip[:1]).tokens[2], model.encode(clip[:1]).tokens[2])


def test_shuffled_takes_the_truth_along() -> None:
    class Oracle(torch.nn.Module):
        spec = EncoderSpec(name="truth", dim=3, num_layers=1, default_layers=(0,), licence="none")

        def encode(self, clip, layers=None, *, truth=None) -> GeometryFeatures:
            return GeometryFeatures({0: truth.points[:, ::14, ::14]}, truth.T_world_cam[:, :3, 3])

    clip = frames(4)
    truth = FrameTruth(torch.rand(4, 42, 70, 3), torch.eye(4).repeat(4, 1, 1) * torch.arange(4)[:, None, None])
    shuffled = Shuffled(Oracle())
    order = shuffled.order(clip)
    found = shuffled.encode(clip, truth=truth)
    assert torch.equal(found.tokens[0], truth.points[order][:, ::14, ::14])
