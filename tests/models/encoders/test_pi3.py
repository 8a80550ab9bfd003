"""Pi3 against a plain implementation under the released names, and that no frame is special."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from spaceland.errors import EncoderError
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.encoders.pi3 import Pi3, Pi3Config, config_of_shapes, open_pi3, released_shapes_of, save_pi3
from spaceland.models.encoders.vit import imagenet_normalised

SMALL = Pi3Config(dim=64, depth=3, num_heads=2, num_register_tokens=5, vit_depth=2, vit_num_registers=4, table_side=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of chance on disk as released, with tensors that are left alone."""
    torch.manual_seed(0)
    model = Pi3(SMALL)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("gamma", "lambda1")):
                value.uniform_(0.3, 0.7)
            elif "token" in name or name.endswith("bias"):
                value.normal_(std=0.3)
    path = tmp_path_factory.mktemp("pi3")
    save_pi3(model, path)
    tensors = load_file(path / "model.safetensors")
    tensors |= {"image_mean": torch.zeros(1, 3, 1, 1), "camera_head.fc_t.weight": torch.zeros(3, 512)}
    save_file(tensors, path / "model.safetensors")
    return path


@pytest.fixture(scope="module")
def small(folder: Path) -> Pi3:
    return open_pi3(str(folder))


def frames(count: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, 42, 70, generator=torch.Generator().manual_seed(seed))


def plain(w: dict[str, torch.Tensor], clip: torch.Tensor) -> torch.Tensor:
    """The last two blocks side by side, from the released tensors, without any of our modules."""

    def layer(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: torch.Tensor, name: str, eps: float) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps)

    def turned(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Each pair of channels as a complex number, turned by row (first half) or column (second half)."""
        quarter = x.shape[-1] // 4
        speed = 100.0 ** (-torch.arange(quarter) / quarter)
        halves = []
        for half, place in zip(x.chunk(2, -1), places.T, strict=True):
            pairs = torch.complex(half[..., :quarter], half[..., quarter:])
            pairs = pairs * torch.polar(torch.ones(len(place), quarter), place[:, None].float() * speed)
            halves += [pairs.real, pairs.imag]
        return torch.cat(halves, -1)

    def block(x: torch.Tensor, name: str, heads: int, places: torch.Tensor | None) -> torch.Tensor:
        y = layer(norm(x, f"{name}.norm1", 1e-6), f"{name}.attn.qkv")
        q, k, v = (part.unflatten(-1, (heads, -1)).movedim(-2, -3) for part in y.chunk(3, -1))
        if places is not None:
            q, k = (norm(part, f"{name}.attn.{kind}_norm", 1e-5) for part, kind in ((q, "q"), (k, "k")))
            q, k = turned(q, places), turned(k, places)
        y = ((q @ k.mT) / q.shape[-1] ** 0.5).softmax(-1) @ v
        x = x + w[f"{name}.ls1.gamma"] * layer(y.movedim(-3, -2).flatten(-2), f"{name}.attn.proj")
        y = layer(F.gelu(layer(norm(x, f"{name}.norm2", 1e-6), f"{name}.mlp.fc1")), f"{name}.mlp.fc2")
        return x + w[f"{name}.ls2.gamma"] * y

    rows, cols, side = 3, 5, SMALL.table_side
    x = F.conv2d(
        imagenet_normalised(clip),
        w["encoder.patch_embed.proj.weight"],
        w["encoder.patch_embed.proj.bias"],
        stride=14,
    )
    x = torch.cat([w["encoder.cls_token"].expand(len(clip), -1, -1), x.flatten(2).mT], 1)
    table = w["encoder.pos_embed"]
    grid = table[:, 1:].mT.unflatten(-1, (side, side))
    grid = F.interpolate(grid, (rows, cols), mode="bicubic", antialias=True).flatten(2).mT
    x = x + torch.cat([table[:, :1], grid], 1)
    x = torch.cat([x[:, :1], w["encoder.register_tokens"].expand(len(clip), -1, -1), x[:, 1:]], 1)
    for k in range(SMALL.vit_depth):
        x = block(x, f"encoder.blocks.{k}", 1, None)
    x = norm(x, "encoder.norm", 1e-6)[:, 5:]
    x = torch.cat([w["register_token"][0].expand(len(clip), -1, -1), x], 1)
    y, z = torch.meshgrid(torch.arange(rows) + 1, torch.arange(cols) + 1, indexing="ij")
    places = torch.cat([torch.zeros(5, 2), torch.stack([y, z], -1).reshape(-1, 2)])
    last = []
    for k in range(2 * SMALL.depth):
        if k % 2 == 0:
            x = block(x, f"decoder.{k}", SMALL.num_heads, places)
        else:
            every = x.flatten(0, 1)[None]
            x = block(every, f"decoder.{k}", SMALL.num_heads, places.repeat(len(clip), 1)).view_as(x)
        last.append(x)
    return torch.cat(last[-2:], -1)[:, 5:]


def test_the_same_as_a_plain_implementation(folder: Path, small: Pi3) -> None:
    clip = frames(3)
    found = small.encode(clip)
    assert found.camera is None and list(found.tokens) == [2]
    expected = plain(load_file(folder / "model.safetensors"), clip)
    assert torch.allclose(found.tokens[2].flatten(1, 2), expected, atol=2e-5)
    assert float(expected.std()) > 0.5


def test_no_frame_is_the_reference(small: Pi3) -> None:
    clip, order = frames(4), torch.tensor([2, 3, 0, 1])
    plain_order, other = small.encode(clip, [0, 1, 2]), small.encode(clip[order], [0, 1, 2])
    for layer, tokens in plain_order.tokens.items():
        assert torch.allclose(tokens[order], other.tokens[layer], atol=1e-5)
    # And the frames do see each other.
    alone = small.encode(clip[:1]).tokens[2]
    assert not torch.allclose(plain_order.tokens[2][:1], alone, atol=1e-2)


def test_the_release_has_these_names(small: Pi3) -> None:
    with torch.device("meta"):
        shapes = released_shapes_of(Pi3(Pi3Config()))
    assert len(shapes) == 1 + 36 * 18 + (3 + 2 + 24 * 14 + 2)
    assert shapes["register_token"] == (1, 1, 5, 1024) and shapes["decoder.35.attn.q_norm.weight"] == (64,)
    assert shapes["encoder.blocks.23.attn.qkv.weight"] == (3072, 1024) and "encoder.mask_token" not in shapes
    assert config_of_shapes(shapes) == Pi3Config()
    assert small.config == SMALL and small.spec.reference == "none" and small.spec.dim == 128


def test_early_exit_and_sixteen_bits(folder: Path, small: Pi3) -> None:
    clip = frames(2)
    shallow = open_pi3(str(folder), layers=[1])
    assert len(shallow.trunk.frame_blocks) == 2
    assert torch.equal(shallow.encode(clip, [1]).tokens[1], small.encode(clip, [1, 2]).tokens[1])
    coarse = open_pi3(str(folder), dtype=torch.bfloat16).encode(clip).tokens[2].float()
    exact = small.encode(clip).tokens[2]
    assert float((coarse - exact).norm() / exact.norm()) < 0.05


def test_what_it_cannot_do_is_said(folder: Path, small: Pi3, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="features only"):
        small.predict(frames(1))
    with pytest.raises(EncoderError, match="features only"):
        open_encoder(f"pi3:{folder}", heads=True)
    with pytest.raises(EncoderError, match="pi3 needs weights"):
        open_pi3(None)
    tensors = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in tensors.items() if not k.startswith("decoder.5.")}, tmp_path / "model.safetensors")
    with pytest.raises(EncoderError, match="5 blocks in its trunk, expected pairs"):
        open_pi3(str(tmp_path))
    del tensors["register_token"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(EncoderError, match="is no Pi3"):
        open_pi3(str(tmp_path))


def test_open_by_text(folder: Path, small: Pi3) -> None:
    opened = open_encoder(f"pi3:{folder}")
    assert isinstance(opened, Pi3)
    assert torch.equal(opened.encode(frames(2)).tokens[2], small.encode(frames(2)).tokens[2])
    assert opened.spec.commercial is False
