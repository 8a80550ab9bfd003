"""Weights of encoders: the released names, files in the released layout, and files that do not fit."""

from __future__ import annotations

import json
import re
from math import prod
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from safetensors.torch import load_file, save_file
from tiny_vggt import TINY, frames, tiny_vggt

from spaceland.errors import EncoderError
from spaceland.models.encoders import loading, weight_files
from spaceland.models.encoders.loading import released_shapes
from spaceland.models.encoders.open_encoder import open_encoder, pinned
from spaceland.models.encoders.vggt import Vggt, VggtConfig, open_vggt, save_vggt
from spaceland.models.encoders.vggt_keys import vggt_source
from spaceland.models.encoders.weight_files import find_weights, read_config

COMMIT = "860abec7937da0a4c03c41d3c269c366e82abdf9"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small VGGT in the released layout, tracking head included."""
    folder = tmp_path_factory.mktemp("vggt")
    save_vggt(tiny_vggt(), folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["track_head.feature_extractor.norm.weight"] = torch.ones(64)
    tensors["track_head.tracker.virual_tracks"] = torch.zeros(1, 4, 1, 8)
    save_file(tensors, folder / "model.safetensors")
    return folder


def copy_without(folder: Path, out: Path, drop: str = "", add: dict[str, torch.Tensor] | None = None) -> Path:
    """The checkpoint again, some tensors less and some more."""
    out.mkdir()
    tensors = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if not drop or not name.startswith(drop)}
    save_file(kept | (add or {}), out / "model.safetensors")
    (out / "config.json").write_text((folder / "config.json").read_text())
    return out


def test_names_and_shapes_of_the_released_model_come_out_of_an_instance_without_values() -> None:
    wanted: dict[str, tuple[int, ...]] = {}
    for line in Path(__file__).with_name("vggt_1b_keys.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        pattern, shape = line.split()
        numbers = re.search(r"\{0\.\.(\d+)\}", pattern)
        for k in range(int(numbers[1]) + 1 if numbers else 1):
            name = pattern.replace(numbers[0], str(k)) if numbers else pattern
            wanted[name] = tuple(int(n) for n in shape.split("x"))
    with torch.device("meta"):
        model = Vggt(VggtConfig())
    found = released_shapes(model, vggt_source)
    assert found == wanted
    assert len(found) == 1403
    assert sum(prod(shape) for shape in found.values()) == 1_256_537_516 - 65_941_396
    assert all(value.is_meta for value in model.state_dict().values())
    assert not list(model.buffers())


def test_a_checkpoint_in_the_released_layout_gives_the_same_network(folder: Path) -> None:
    model, clip = tiny_vggt(), frames()
    found = open_vggt(str(folder), heads=True)
    assert torch.equal(found.encode(clip).tokens[2], model.encode(clip).tokens[2])
    want, got = model.predict(clip), found.predict(clip)
    assert torch.equal(got.depth, want.depth)
    assert torch.equal(got.T_world_cam, want.T_world_cam)
    assert not found.training
    assert not any(value.requires_grad for value in found.parameters())


def test_only_wanted_tensors_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    original = loading._stream

    def counting(files, plan):
        read.extend(source.name for source in plan.values())
        return original(files, plan)

    monkeypatch.setattr(loading, "_stream", counting)
    model = open_vggt(str(folder), layers=[1], dtype=torch.bfloat16)
    assert model.num_built == 2
    assert not [name for name in read if re.search(r"head\.|(frame|global)_blocks\.[23]\.", name)]
    assert all(value.dtype == torch.bfloat16 for value in model.parameters())
    clip = frames()
    want = tiny_vggt().encode(clip, [1]).tokens[1]
    assert (model.encode(clip, [1]).tokens[1].float() - want).norm() / want.norm() < 0.02


def test_heads_stay_in_float32(folder: Path) -> None:
    model = open_vggt(str(folder), heads=True, dtype=torch.bfloat16)
    assert {value.dtype for value in model.camera_head.parameters()} == {torch.float32}
    assert model.trunk.camera_token.dtype == torch.bfloat16
    clip = frames()
    want = tiny_vggt().predict(clip)
    found = model.predict(clip)
    assert found.depth.dtype == torch.float32
    assert ((found.depth - want.depth).abs() / want.depth).median() < 0.05


def test_the_heads_may_be_absent_where_they_are_not_wanted(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    copy_without(folder, bare, drop="aggregator.global_blocks.3")
    clip = frames()
    assert torch.equal(open_vggt(str(bare)).encode(clip).tokens[2], tiny_vggt().encode(clip).tokens[2])
    with pytest.raises(EncoderError, match=r"lacks 18 tensors \(aggregator\.global_blocks\.3\.attn"):
        open_vggt(str(bare), layers=[3])


def test_missing_strange_and_misshapen_tensors_give_one_error_that_names_them(folder: Path, tmp_path: Path) -> None:
    extra = {"aggregator.extra": torch.zeros(1), "camera_token": torch.zeros(1)}
    out = copy_without(folder, tmp_path / "a", "aggregator.frame_blocks.0.attn.qkv", extra)
    with pytest.raises(EncoderError) as error:
        open_vggt(str(out))
    text = str(error.value)
    assert "lacks 2 tensors (aggregator.frame_blocks.0.attn.qkv.bias, aggregator.frame_blocks.0.attn.qkv.wei" in text
    assert "has 2 of other names (aggregator.extra, camera_token)" in text
    narrow = {"aggregator.frame_blocks.1.attn.qkv.weight": torch.zeros(96, 16)}
    with pytest.raises(EncoderError, match=r"qkv\.weight is \[96, 16\], expected \[96, 32\]"):
        open_vggt(str(copy_without(folder, tmp_path / "b", add=narrow)))
    (tmp_path / "b" / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"lacks .* with the config\.json that belongs"):
        open_vggt(str(tmp_path / "b"))


def test_shards_with_an_index(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, part in shards.items():
        save_file({name: tensors[name] for name in part}, tmp_path / shard)
    weight_map = {name: shard for shard, part in shards.items() for name in part}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    clip = frames()
    want = tiny_vggt().encode(clip).tokens[2]
    assert torch.equal(open_vggt(str(tmp_path)).encode(clip).tokens[2], want)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"00002-of-00002\.safetensors is missing"):
        open_vggt(str(tmp_path))
    index.write_text(json.dumps({"weight_map": {"a": "../../elsewhere.safetensors"}}))
    with pytest.raises(EncoderError, match="no index"):
        open_vggt(str(tmp_path))


def test_a_part_of_a_larger_checkpoint(folder: Path, tmp_path: Path) -> None:
    """As VG-LLM's files hold it."""
    tensors = {f"geometry_encoder.vggt.{n}": v for n, v in load_file(folder / "model.safetensors").items()}
    save_file({**tensors, "model.embed_tokens.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl"}))
    clip = frames()
    model = open_vggt(str(tmp_path), prefix="geometry_encoder.vggt.", config=TINY)
    assert torch.equal(model.encode(clip).tokens[2], tiny_vggt().encode(clip).tokens[2])
    with pytest.raises(EncoderError, match=r"no weights whose names begin with 'vggt\.'"):
        open_vggt(str(tmp_path), prefix="vggt.", config=TINY)


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"would run when opened")
    for where in (tmp_path, path):
        with pytest.raises(EncoderError, match="pickled file, which could run anything"):
            find_weights(str(where))


def test_places_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EncoderError, match=r"holds no \.safetensors files"):
        find_weights(str(tmp_path))
    with pytest.raises(EncoderError, match="no folder or file"):
        find_weights(str(tmp_path / "nothing"))
    with pytest.raises(EncoderError, match="no Hugging Face id either"):
        find_weights("just-a-name")
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 50)
    with pytest.raises(EncoderError, match="no readable safetensors"):
        find_weights(str(tmp_path))
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(EncoderError, match="no JSON object"):
        read_config(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="not valid JSON"):
        read_config(str(tmp_path))
    with pytest.raises(EncoderError, match="needs weights"):
        open_vggt(None)


def test_the_hub_says_the_licence_first_and_files_are_fetched_one_by_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    happened: list[str] = []

    def fetch(repo: str, name: str, revision: str | None) -> str:
        assert repo == "facebook/VGGT-1B"
        happened.append(name if revision is None else f"{name} of {revision}")
        if not (folder / name).is_file():
            raise EntryNotFoundError("no such file")
        snapshot = tmp_path / "snapshots" / COMMIT
        snapshot.mkdir(parents=True, exist_ok=True)
        (snapshot / name).unlink(missing_ok=True)
        (snapshot / name).symlink_to(folder / name)
        return str(snapshot / name)

    monkeypatch.setattr(weight_files, "announce_weights", lambda repo, revision: happened.append(f"licence of {repo}"))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    model = open_vggt("facebook/VGGT-1B")
    assert happened == ["licence of facebook/VGGT-1B", "config.json"] + [
        "licence of facebook/VGGT-1B",
        "model.safetensors",
    ]
    assert model.spec.commercial is False
    assert "non-commercial" in model.spec.licence
    assert model.spec.name == "vggt:facebook/VGGT-1B"
    text = "mean:vggt:facebook/VGGT-1B"
    assert pinned(text, open_encoder(text)) == f"{text}@{COMMIT}"
    assert pinned(f"{text}@{COMMIT}", open_encoder(f"{text}@{COMMIT}")) == f"{text}@{COMMIT}"
    assert happened[-1] == f"model.safetensors of {COMMIT}"
    assert open_encoder(f"vggt:facebook/VGGT-1B@{COMMIT}").spec.commercial is False
    assert pinned(f"vggt:{folder}", open_vggt(str(folder))) == f"vggt:{folder}"

    def offline(repo: str, name: str, revision: str | None) -> str:
        raise LocalEntryNotFoundError("no network and not in the cache")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(EncoderError, match=r"neither a folder nor can it be fetched .* give a folder"):
        open_vggt("facebook/VGGT-1B")


@pytest.mark.parametrize("text", ['{"depth": "24"}', '{"depth": -1}', '{"dpt_layers": 4}', '{"dpt_layers": [1, 2]}'])
def test_sizes_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(EncoderError, match=r"config\.json has d"):
        open_vggt(str(tmp_path))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"embed_dim": 0}, "embed_dim of a VGGT is 0"),
        ({"num_heads": 0}, "num_heads of a VGGT is 0"),
        ({"embed_dim": 65}, "embed_dim of a VGGT is 65, expected a multiple of 64"),
        ({"patch_size": 15}, "img_size of a VGGT is 518, expected a multiple of 15"),
        ({"dpt_widths": [8, 10, 16, 16]}, r"dpt_widths\[1\] of a VGGT is 10"),
        ({"depth": 2}, r"dpt_layers \[4, 11, 17, 23\] of a VGGT with 2 layers"),
    ],
)
def test_sizes_of_which_nothing_can_be_built(tmp_path: Path, sizes: dict[str, object], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    with pytest.raises(EncoderError, match=message):
        open_vggt(str(tmp_path), seed=0, heads=True, device="meta")


def test_random_weights_follow_from_the_seed_and_leave_other_randomness_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b, c = (open_vggt(None, seed=seed, config=TINY) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    clip = frames()
    tokens = [model.encode(clip).tokens[2] for model in (a, b, c)]
    assert torch.equal(tokens[0], tokens[1])
    assert (tokens[0] - tokens[2]).abs().max() > 1e-2
    assert a.spec.commercial is True


def test_a_device_that_is_not_there(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(EncoderError, match="cannot be put on 'cuda"):
        open_vggt(str(folder), device="cuda")


def test_the_licence_is_said_once_before_a_download(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    from spaceland.hub import announce_weights

    card = {"license": "other", "license_name": "vggt-non-commercial"}
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, revision: None)
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *_, timeout: SimpleNamespace(card_data=card))
    announce_weights("owner/model")
    said = capsys.readouterr().err
    assert said == "weights: owner/model from huggingface.co, licence: vggt-non-commercial\n"
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *_, timeout: 1 / 0)
    announce_weights("owner/model")
    assert "licence: not stated, see its page" in capsys.readouterr().err
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, revision: "config.json")
    announce_weights("owner/model")
    assert not capsys.readouterr().err
