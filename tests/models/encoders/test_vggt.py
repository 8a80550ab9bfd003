"""VGGT's trunk and heads against a plain implementation, and the properties that the architecture promises."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from plain_vggt import PlainVggt
from tiny_vggt import TINY, frames, tiny_vggt

from spaceland.errors import EncoderError
from spaceland.models.encoders.dpt_head import depth_of, points_of
from spaceland.models.encoders.loading import released_tensors
from spaceland.models.encoders.pose_encoding import decode_pose, encode_pose, unproject
from spaceland.models.encoders.vggt import Vggt
from spaceland.models.encoders.vggt_keys import vggt_source


@pytest.fixture(scope="module")
def model() -> Vggt:
    return tiny_vggt()


@pytest.fixture(scope="module")
def plain(model: Vggt) -> PlainVggt:
    return PlainVggt(released_tensors(model, vggt_source), heads=2, vit_heads=2)


@pytest.mark.parametrize("size", [(42, 70), (56, 56), (14, 28)])
def test_all_layers_equal_a_plain_implementation(model: Vggt, plain: PlainVggt, size: tuple[int, int]) -> None:
    clip = frames(3, *size)
    want = plain.layers(clip)
    found = model(clip, range(4))
    assert len(want) == len(found) == 4
    for layer, tokens in enumerate(want):
        torch.testing.assert_close(found[layer], tokens, rtol=1e-5, atol=1e-5)


def test_heads_equal_a_plain_implementation(model: Vggt, plain: PlainVggt) -> None:
    clip = frames(3)
    tokens = model(clip, range(4))
    raw = model.heads(tokens, (3, 5))
    torch.testing.assert_close(raw.pose_encodings[-1], plain.poses(tokens[3][:, 0], 2), rtol=1e-4, atol=1e-5)
    dense = [tokens[layer][:, 5:] for layer in TINY.dpt_layers]
    depth, depth_confidence = depth_of(plain.dense("depth_head.", dense, 3, 5))
    points, points_confidence = points_of(plain.dense("point_head.", dense, 3, 5))
    torch.testing.assert_close(raw.depth, depth, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(raw.depth_confidence, depth_confidence, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(raw.points, points, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(raw.points_confidence, points_confidence, rtol=1e-4, atol=1e-5)


def test_the_order_of_frames_matters_only_through_which_is_first(model: Vggt) -> None:
    clip = frames(4)
    tokens = model(clip, [3])[3]
    same_first = [0, 3, 1, 2]
    torch.testing.assert_close(model(clip[same_first], [3])[3], tokens[same_first], rtol=1e-5, atol=1e-5)
    other_first = [1, 0, 2, 3]
    assert (model(clip[other_first], [3])[3] - tokens[other_first]).abs().max() > 1e-2


def test_early_exit_equals_the_whole_run_and_builds_no_more(model: Vggt) -> None:
    clip = frames()
    whole = model(clip, range(4))
    short = tiny_vggt(num_built=2, heads=False)
    missing = short.load_state_dict(model.state_dict(), strict=False)
    assert not missing.missing_keys
    assert not any(".2." in name or ".3." in name for name in short.trunk.state_dict())
    assert torch.equal(short(clip, [1])[1], whole[1])
    with pytest.raises(EncoderError, match=r"layer 2 .* was not loaded, only 0 to 1"):
        short.encode(clip)
    with pytest.raises(EncoderError, match="heads look at layer 3"):
        Vggt(TINY, 2, heads=True)


def test_chunks_of_frames_equal_the_whole(model: Vggt) -> None:
    clip = frames(5)
    torch.testing.assert_close(model.vit(clip, 2), model.vit(clip, 5), rtol=1e-5, atol=1e-5)
    tokens = [x[:, 5:] for x in model(clip, range(4)).values()]
    torch.testing.assert_close(
        model.depth_head(tokens, (3, 5), 2), model.depth_head(tokens, (3, 5), 5), rtol=1e-5, atol=1e-5
    )


def test_bfloat16_is_close_to_float32(model: Vggt) -> None:
    clip = frames()
    want = model.encode(clip).tokens[2]
    half = tiny_vggt().to(torch.bfloat16)
    found = half.encode(clip).tokens[2]
    assert found.dtype == torch.bfloat16
    error = (found.float() - want).norm() / want.norm()
    assert error < 0.02


def test_the_loop_compiles_as_one_graph(model: Vggt) -> None:
    clip = frames()
    patches = model.vit(clip)
    compiled = torch.compile(model.trunk, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(patches, (3, 5), (3,))[3], model.trunk(patches, (3, 5), (3,))[3])


def test_encode_gives_the_patch_grid_and_camera_of_the_deepest_layer(model: Vggt) -> None:
    clip = frames(2)
    features = model.encode(clip, [3, 1, 1])
    tokens = model(clip, [1, 3])
    assert list(features.tokens) == [1, 3]
    assert features.tokens[1].shape == (2, 3, 5, 64)
    assert torch.equal(features.tokens[1][1, 2, 4], tokens[1][1, -1])
    assert features.camera is not None
    assert torch.equal(features.camera, tokens[3][:, 0])
    assert model.spec.default_layers == (2,)
    assert not features.tokens[3].requires_grad


def test_last_frame_as_reference_is_the_reversed_clip_turned_back(model: Vggt) -> None:
    clip = frames(3)
    last = tiny_vggt(reference_frame="last")
    torch.testing.assert_close(last.encode(clip).tokens[2], model.encode(clip.flip(0)).tokens[2].flip(0))
    found, want = last.predict(clip), model.predict(clip.flip(0))
    torch.testing.assert_close(found.T_world_cam, want.T_world_cam.flip(0))
    torch.testing.assert_close(found.depth, want.depth.flip(0))


def test_gradients_reach_every_weight_in_training() -> None:
    model = tiny_vggt().requires_grad_(True)
    raw = model.heads(model(frames(2), model.head_layers), (3, 5))
    (raw.pose_encodings.square().sum() + raw.depth.log().mean() + raw.points.abs().mean()).backward()
    still = {name for name, value in model.named_parameters() if value.grad is None}
    # The mask token is for masked training only, and confidences are not in this loss.
    assert still == {"vit.model.embeddings.mask_token"}


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (torch.rand(3, 42, 70), r"shape \[3, 42, 70\], expected \[frames, 3"),
        (torch.rand(2, 4, 42, 70), "expected"),
        (torch.rand(0, 3, 42, 70), "no frames"),
        (torch.rand(2, 3, 42, 71), "71x42 px .* multiples of 14"),
        (torch.zeros(2, 3, 42, 70, dtype=torch.uint8), "divide by 255"),
        (torch.rand(2, 3, 42, 70) * 255, r"expected 0\.\.1"),
        (torch.rand(2, 3, 42, 70) - 0.5, r"expected 0\.\.1"),
        (torch.full((2, 3, 42, 70), torch.nan), "nan to nan"),
    ],
)
def test_frames_that_cannot_be_taken(model: Vggt, clip: torch.Tensor, message: str) -> None:
    for call in (model.encode, model.predict):
        with pytest.raises(EncoderError, match=message):
            call(clip)


def test_layers_and_heads_that_do_not_exist(model: Vggt) -> None:
    clip = frames(1)
    with pytest.raises(EncoderError, match="layers 0 to 3"):
        model.encode(clip, [4])
    with pytest.raises(EncoderError, match="layers 0 to 3"):
        model.encode(clip, [-2])
    with pytest.raises(EncoderError, match="layers 0 to 3"):
        model.encode(clip, [1.5])  # type: ignore[list-item]
    with pytest.raises(EncoderError, match="no layers"):
        model.encode(clip, [])
    with pytest.raises(EncoderError, match="without its heads"):
        tiny_vggt(heads=False).predict(clip)


def random_rotations(num: int, seed: int) -> torch.Tensor:
    """Rotations [n, 3, 3] in float64, half turns about every axis among them."""
    generator = torch.Generator().manual_seed(seed)
    q, r = torch.linalg.qr(torch.randn(num, 3, 3, dtype=torch.float64, generator=generator))
    q = q * r.diagonal(dim1=1, dim2=2).sign()[:, None]
    q = q * torch.linalg.det(q)[:, None, None]
    half_turns = torch.stack([2 * torch.diag(axis) - torch.eye(3) for axis in torch.eye(3)]).double()
    return torch.cat([q, torch.eye(3, dtype=torch.float64)[None], half_turns])


def test_pose_encoding_round_trip() -> None:
    R = random_rotations(50, 3)
    n = len(R)
    T = torch.eye(4, dtype=torch.float64).repeat(n, 1, 1)
    T[:, :3, :3], T[:, :3, 3] = R, torch.linspace(-4, 4, 3 * n, dtype=torch.float64).reshape(n, 3)
    K = torch.eye(3, dtype=torch.float64).repeat(n, 1, 1)
    K[:, 0, 0], K[:, 1, 1] = torch.linspace(100, 900, n), torch.linspace(900, 100, n)
    K[:, 0, 2], K[:, 1, 2] = 518 / 2, 392 / 2
    encoding = encode_pose(T, K, 392, 518)
    T2, K2 = decode_pose(encoding, 392, 518)
    torch.testing.assert_close(T2, T, rtol=0, atol=1e-9)
    torch.testing.assert_close(K2, K, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(encode_pose(T2, K2, 392, 518), encoding, rtol=0, atol=1e-9)


def test_pose_encoding_says_camera_from_world_and_vertical_field_of_view_first() -> None:
    """A camera 2 m right of the world, turned 90 degrees to its right, 60 by 90 degrees wide."""
    half = 0.5**0.5
    # From world to camera: x of the camera is -z of the world, z of the camera is x of the world.
    encoding = torch.tensor([0.0, 0, -2, 0, -half, 0, half, torch.pi / 3, torch.pi / 2])
    T, K = decode_pose(encoding, 300, 400)
    torch.testing.assert_close(T @ torch.tensor([0.0, 0, 1, 1]), torch.tensor([3.0, 0, 0, 1]))
    torch.testing.assert_close(T @ torch.tensor([1.0, 0, 0, 1]), torch.tensor([2.0, 0, -1, 1]))
    torch.testing.assert_close(K, torch.tensor([[200.0, 0, 200], [0, 150 * 3**0.5, 150], [0, 0, 1]]))


def test_nonsense_of_an_untrained_head_stays_finite() -> None:
    T, K = decode_pose(torch.tensor([[0.0] * 9, [1e3] * 9]), 28, 28)
    assert torch.isfinite(T).all()
    assert torch.isfinite(K).all()
    assert (K[:, 0, 0] > 0).all()


def test_depth_unprojected_with_its_own_cameras_is_the_point_map() -> None:
    """The heads are made to say what is true of a plane seen by turned cameras; the rays are cut with it one by one."""
    height, width = 28, 42
    n, offset = torch.tensor([0.1, -0.2, 1.0], dtype=torch.float64), 6.0
    R = torch.linalg.matrix_exp(
        torch.tensor([[[0, -0.1, 0.2], [0.1, 0, -0.3], [-0.2, 0.3, 0]], torch.zeros(3, 3).tolist()]).double()
    )
    T = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    T[:, :3, :3] = R
    T[0, :3, 3] = torch.tensor([0.4, -0.3, 0.5])
    K = torch.tensor([[30.0, 0, 21], [0, 33.0, 14], [0, 0, 1]], dtype=torch.float64).repeat(2, 1, 1)
    depth = torch.zeros(2, height, width, dtype=torch.float64)
    points = torch.zeros(2, height, width, 3, dtype=torch.float64)
    for s in range(2):
        for row in range(height):
            for col in range(width):
                ray = torch.tensor([(col + 0.5 - 21) / 30, (row + 0.5 - 14) / 33, 1.0], dtype=torch.float64)
                towards = T[s, :3, :3] @ ray
                depth[s, row, col] = (offset - n @ T[s, :3, 3]) / (n @ towards)
                points[s, row, col] = T[s, :3, 3] + depth[s, row, col] * towards

    class Says(torch.nn.Module):
        def __init__(self, value: torch.Tensor) -> None:
            super().__init__()
            self.value = value
            self.token_norm = torch.nn.LayerNorm(1)

        def forward(self, *_) -> torch.Tensor:
            return self.value

    model = tiny_vggt()
    one = torch.zeros(2, 1, height, width, dtype=torch.float64)
    model.camera_head = Says(encode_pose(T, K, height, width)[None])
    model.depth_head = Says(torch.cat([depth.log()[:, None], one], dim=1))
    model.point_head = Says(torch.cat([(points.sign() * points.abs().log1p()).movedim(-1, 1), one], dim=1))
    found = model.predict(frames(2, height, width))
    assert found.depth is not None
    assert found.points is not None
    torch.testing.assert_close(found.points, points.float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(unproject(found.depth, found.K, found.T_world_cam), found.points, rtol=1e-5, atol=1e-5)
    assert found.depth_confidence is not None
    assert (found.depth_confidence == 2).all()
