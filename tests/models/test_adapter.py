"""Merger and fusions: order of patches against loops, zero start, gradients, masking, what does not fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra model")

import torch

from spaceland.errors import EncoderError
from spaceland.models.adapter import AdapterConfig, FrameTokens, GeometryAdapter
from spaceland.models.fusion import cell_positions
from spaceland.models.merger import GeometryMerger
from spaceland.models.types import EncoderSpec, GeometryFeatures

HIDDEN = 16
SPEC = EncoderSpec(name="some", dim=6, num_layers=4, default_layers=(2,), licence="none", camera_dim=5)
CELLS = torch.tensor([[0, 0, 2, 3], [1, 0, 1, 3]])
FUSIONS = ["add", "gated", "cross_attention", "deepstack"]


def clip(layers: tuple[int, ...] = (2,), deepstack: int = 2) -> tuple[list[FrameTokens], GeometryFeatures, Any]:
    torch.manual_seed(4)
    frames = [
        FrameTokens(torch.randn(n, HIDDEN), tuple(torch.randn(n, HIDDEN) for _ in range(deepstack))) for n in (6, 3)
    ]
    tokens = {k: torch.randn(2, 5, 7, 6) for k in layers}
    rays = torch.nn.functional.normalize(torch.randn(2, 2, 3, 3), dim=-1)
    return frames, GeometryFeatures(tokens, torch.randn(2, 5)), rays


def adapter(**config: Any) -> GeometryAdapter:
    torch.manual_seed(1)
    return GeometryAdapter(AdapterConfig(merger_dim=10, ray_dim=4, **config), SPEC, HIDDEN)


def woken(**config: Any) -> GeometryAdapter:
    made = adapter(**config)
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    return made


@pytest.mark.parametrize("kind", ["mlp", "avg"])
def test_merger_equals_loops(kind: Any) -> None:
    torch.manual_seed(0)
    merger = GeometryMerger(6, 10, HIDDEN, kind)
    torch.nn.init.normal_(merger.ln_q.weight)
    patches = torch.randn(2, 5, 8, 6)  # the odd row is left out
    out = merger(patches)
    assert out.shape == (2, 2, 4, HIDDEN)
    for s in range(2):
        for row in range(2):
            for col in range(4):
                four = [patches[s, 2 * row + dh, 2 * col + dw] for dh in (0, 1) for dw in (0, 1)]
                normed = [p / torch.sqrt(p.square().mean() + 1e-6) * merger.ln_q.weight for p in four]
                x = torch.cat(normed) if kind == "mlp" else torch.stack(normed).mean(0)
                first, last = merger.mlp[0], merger.mlp[2]
                h = x @ first.weight.T + first.bias
                h = h * 0.5 * (1 + torch.erf(h / 2**0.5))
                torch.testing.assert_close(out[s, row, col], h @ last.weight.T + last.bias)


def test_parameters_are_those_of_the_paper() -> None:
    """41,951,232 for the 4B model, 48,244,224 for 8B."""
    for hidden, count in ((2048, 41_951_232), (3584, 48_244_224)):
        with torch.device("meta"):
            merger = GeometryMerger(2048, 4096, hidden)
        assert sum(p.numel() for p in merger.parameters()) == count


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("extra", [{}, {"camera_token": True, "rays": True}])
def test_nothing_changes_at_the_start_and_gradients_reach_all(fusion: str, extra: dict[str, bool]) -> None:
    layers = (0, 2, 3) if fusion != "cross_attention" else (2,)
    frames, features, rays = clip(layers)
    made = adapter(fusion=fusion, layers=layers, **extra)
    fused = made(frames, features, CELLS, rays)
    for before, after in zip(frames, fused, strict=True):
        assert torch.equal(after.tokens, before.tokens)
        for k, level in enumerate(after.deepstack):
            # With more layers than the model has levels, new levels of zeros stand behind its own.
            assert torch.equal(level, before.deepstack[k] if k < 2 else torch.zeros_like(level))
    # After one step the layer behind is awake and gradients reach every parameter.
    optimizer = torch.optim.SGD(made.parameters(), lr=1e-3)
    for step in range(3):
        optimizer.zero_grad()
        out = made(frames, features, CELLS, rays)
        torch.cat([x.flatten() - 1 for f in out for x in (f.tokens, *f.deepstack)]).square().sum().backward()
        if step < 2:
            optimizer.step()
    silent = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    # Attention ignores what is the same for all keys.
    assert [name for name in silent if name != "mix.k.bias"] == []


def test_add_puts_each_cell_where_it_stands_on_the_canvas() -> None:
    frames, features, _ = clip()
    made = woken(fusion="add")
    merged = made.mergers[0](features.tokens[2])
    fused = made(frames, features, CELLS)
    torch.testing.assert_close(fused[0].tokens, frames[0].tokens + merged[0, 0:2].reshape(6, HIDDEN))
    torch.testing.assert_close(fused[1].tokens, frames[1].tokens + merged[1, 1])
    assert all(
        a is b for f, g in zip(frames, fused, strict=True) for a, b in zip(f.deepstack, g.deepstack, strict=True)
    )


def test_deepstack_gives_each_layer_a_level() -> None:
    frames, features, _ = clip((0, 1, 3))
    made = woken(fusion="deepstack", layers=(3, 0, 1))
    fused = made(frames, features, CELLS)
    assert torch.equal(fused[0].tokens, frames[0].tokens)
    assert len(fused[0].deepstack) == 3
    for k, layer in enumerate((3, 0, 1)):
        part = made.mergers[k](features.tokens[layer])[1, 1]
        expected = frames[1].deepstack[k] + part if k < 2 else part
        torch.testing.assert_close(fused[1].deepstack[k], expected)


def test_cross_attention_stays_in_its_frame() -> None:
    frames, features, _ = clip()
    made = woken(fusion="cross_attention", num_heads=4)
    before = made(frames, features, CELLS)
    changed = {2: features.tokens[2].clone()}
    changed[2][1] += 1
    after = made(frames, GeometryFeatures(changed), CELLS)
    assert torch.equal(before[0].tokens, after[0].tokens)
    assert (before[1].tokens - after[1].tokens).abs().min() > 0
    assert len({tuple(p.tolist()) for p in cell_positions(5, 7, 16)}) == 35


def test_camera_token_is_the_same_for_all_of_a_frame_and_rays_only_where_known() -> None:
    frames, features, rays = clip()
    made = woken(camera_token=True, rays=True)
    rays[0, 1, 2] = 0
    none = torch.zeros_like(rays)
    blind = made(frames, features, CELLS, none)
    fused = made(frames, features, CELLS, rays)
    difference = (fused[0].tokens - blind[0].tokens).abs().sum(-1)
    assert (difference[:5] > 0).all() and difference[5] == 0
    other = dataclasses.replace(features, camera=features.camera * torch.tensor([[1.0, 2, 1, 1, 1], [1.0] * 5]))  # type: ignore[operator]
    moved = made(frames, other, CELLS, none)
    step = moved[0].tokens - blind[0].tokens
    torch.testing.assert_close(step, step[:1].expand_as(step))
    assert step.abs().sum() > 0 and torch.equal(moved[1].tokens, blind[1].tokens)


def test_rays_alone_need_no_encoder() -> None:
    frames, _, rays = clip()
    torch.manual_seed(0)
    made = GeometryAdapter(AdapterConfig(rays=True, ray_dim=4), None, HIDDEN)
    assert torch.equal(made(frames, None, CELLS, rays)[0].tokens, frames[0].tokens)
    torch.nn.init.ones_(made.rays[-1].weight)  # type: ignore[index]
    assert (made(frames, None, CELLS, rays)[0].tokens != frames[0].tokens).any()


def test_masking_happens_in_training_alone_as_often_and_as_much_as_said() -> None:
    frames, features, _ = clip()
    big = [FrameTokens(torch.ones(1000, HIDDEN), (torch.ones(1000, HIDDEN),))]
    cells = torch.tensor([[0, 0, 25, 40]])
    tokens = GeometryFeatures({2: torch.randn(1, 50, 80, 6)})
    made = adapter(mask_probability=0.5, mask_ratio=0.8)
    torch.manual_seed(0)
    made.train()
    shares = []
    for _ in range(200):
        (out,) = made(big, tokens, cells)
        gone = (out.tokens == 0).all(-1)
        assert torch.equal(gone, (out.deepstack[0] == 0).all(-1))
        shares.append(float(gone.float().mean()))
    masked = [s for s in shares if s > 0]
    assert 75 < len(masked) < 125  # five standard deviations are 35
    assert all(0.73 < s < 0.87 for s in masked)
    made.eval()
    assert all(torch.equal(made(frames, features, CELLS)[0].tokens, frames[0].tokens) for _ in range(20))


def test_bfloat16_tokens_and_float32_adapter_mix() -> None:
    frames, features, _ = clip()
    half = [FrameTokens(f.tokens.bfloat16(), tuple(d.bfloat16() for d in f.deepstack)) for f in frames]
    for fusion in FUSIONS:
        made = adapter(fusion=fusion)
        out = made(half, GeometryFeatures({2: features.tokens[2].half()}), CELLS)
        assert torch.equal(out[0].tokens, half[0].tokens) and out[0].tokens.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("config", "spec", "says"),
    [
        ({"layers": (4,)}, SPEC, "has layers 0 to 3"),
        ({"layers": ()}, SPEC, "at least one"),
        ({"layers": (1, 1)}, SPEC, "once"),
        ({"camera_token": True}, dataclasses.replace(SPEC, camera_dim=None), "no camera token"),
        ({"fusion": "cross_attention", "num_heads": 3}, SPEC, "3 heads"),
        ({}, None, "only rays"),
        ({"fusion": "concat"}, SPEC, "'concat' is no fusion"),
        ({"merger": "max"}, SPEC, "'max' is no merger"),
        ({"mask_ratio": 1.5}, SPEC, "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_said(config: dict[str, Any], spec: EncoderSpec | None, says: str) -> None:
    with pytest.raises(EncoderError, match=says):
        GeometryAdapter(AdapterConfig(**config), spec, HIDDEN)


def test_features_that_do_not_fit_are_refused() -> None:
    frames, features, _ = clip()
    with pytest.raises(EncoderError, match="no features of layer 2"):
        adapter()(frames, GeometryFeatures({1: features.tokens[2]}), CELLS)
    with pytest.raises(EncoderError, match="no camera token"):
        adapter(camera_token=True)(frames, GeometryFeatures(features.tokens), CELLS)
    with pytest.raises(EncoderError, match="were not sized by one TokenGrid"):
        adapter()(frames, features, torch.tensor([[0, 0, 2, 2], [0, 0, 1, 3]]))
    with pytest.raises(EncoderError, match="2 pictures and 1 places"):
        adapter()(frames, features, CELLS[:1])
