"""Encoders by text."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_vggt import frames, tiny_vggt

from spaceland.errors import EncoderError
from spaceland.models.encoders.open_encoder import open_encoder
from spaceland.models.encoders.vggt import save_vggt


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("weights")
    save_vggt(tiny_vggt(), folder)
    return str(folder)


def test_vggt_and_its_controls(where: str) -> None:
    model, clip = tiny_vggt(), frames()
    want = model.encode(clip).tokens[2]
    assert torch.equal(open_encoder(f"vggt:{where}").encode(clip).tokens[2], want)
    assert open_encoder(f"vggt:{where}", dtype="bfloat16").encode(clip).tokens[2].dtype == torch.bfloat16
    assert open_encoder(f"vggt:{where}", heads=True).predict(clip).points.shape == (3, 42, 70, 3)
    for control in ("random", "zeros", "shuffled", "mean"):
        encoder = open_encoder(f"{control}:vggt:{where}")
        tokens = encoder.encode(clip).tokens[2]
        assert tokens.shape == want.shape
        assert not torch.equal(tokens, want)
        assert not any(value.requires_grad for value in encoder.parameters())
    last = open_encoder(f"vggt:{where}", reference_frame="last")
    assert torch.equal(last.encode(clip).tokens[2], model.encode(clip.flip(0)).tokens[2].flip(0))


def test_none_is_no_encoder() -> None:
    assert open_encoder("none") is None


def test_zeros_alone_have_the_shape_of_the_released_model() -> None:
    zeros = open_encoder("zeros", layers=[11, 17])
    found = zeros.encode(frames(2), [11, 17])
    assert found.tokens[17].shape == (2, 3, 5, 2048)
    assert zeros.spec.name == "zeros:vggt"


def test_a_cache_keeps_features(where: str, tmp_path: Path) -> None:
    clip = frames()
    first = open_encoder(f"shuffled:vggt:{where}", cache=tmp_path)
    tokens = first.encode(clip).tokens[2]
    assert len(list(tmp_path.iterdir())) == 1
    again = open_encoder(f"shuffled:vggt:{where}", cache=tmp_path)
    assert torch.equal(again.encode(clip).tokens[2], tokens)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vgt:somewhere", "no encoder 'vgt:somewhere'; choose none, or one of vggt, da3"),
        ("", "no encoder ''"),
        ("vggt", "names no weights"),
        ("vggt:", "names no weights"),
        ("mean", "'mean' needs an encoder"),
        ("shuffled:none", "no encoder 'shuffled:none'"),
        ("mean:vggt", "names no weights"),
        ("random:zeros:vggt", "no encoder"),
        ("vggt:/no/such/folder", "no folder or file"),
    ],
)
def test_texts_that_name_nothing(text: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        open_encoder(text)


def test_options_that_do_not_exist(where: str) -> None:
    with pytest.raises(EncoderError, match="type 'float8' is not supported"):
        open_encoder("none", dtype="float8")
    with pytest.raises(EncoderError, match="device 'gpu' cannot be used"):
        open_encoder("none", device="gpu")
    with pytest.raises(EncoderError, match="control and has no heads"):
        open_encoder(f"mean:vggt:{where}", heads=True)
    with pytest.raises(EncoderError, match="no reference frame to choose"):
        open_encoder("da3-base:somewhere", reference_frame="last")
