"""The small VGGT: opened by name, with and without weights."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch

from spaceland.errors import EncoderError
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.encoders.vggt import save_vggt
from spaceland.training.trunk_training import new_trunk

FRAMES = torch.rand(2, 3, 28, 42, generator=torch.Generator().manual_seed(0))


def test_weights_are_read_by_both_names(tmp_path: Path) -> None:
    model = new_trunk(seed=3).eval()
    save_vggt(model, tmp_path)
    small, plain = open_encoder(f"tiny-trunk:{tmp_path}", heads=True), open_encoder(f"vggt:{tmp_path}", heads=True)
    assert small.spec.metric and small.spec.heads == {"pose", "depth"}
    assert plain.spec.dim == small.spec.dim and not plain.spec.metric
    for encoder in (small, plain):
        assert torch.equal(encoder.encode(FRAMES).tokens[2], model.encode(FRAMES).tokens[2])
    assert torch.equal(small.predict(FRAMES).depth, plain.predict(FRAMES).depth)


def test_controls_need_no_weights() -> None:
    random, again, other = (open_encoder("random:tiny-trunk", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(random.encode(FRAMES).tokens[2], again.encode(FRAMES).tokens[2])
    assert not torch.equal(random.encode(FRAMES).tokens[2], other.encode(FRAMES).tokens[2])
    assert not open_encoder("zeros:tiny-trunk").encode(FRAMES).tokens[2].any()
    with pytest.raises(EncoderError, match="names no weights"):
        open_encoder("tiny-trunk")
