"""Features on disk: found again only where they belong, bounded, and never wrong after damage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra model")
pytest.importorskip("transformers", reason="needs the extra model")

import torch
from tiny_vggt import frames, tiny_vggt

from spaceland.errors import EncoderError
from spaceland.models.encoders.controls import Shuffled
from spaceland.models.encoders.feature_cache import CachedEncoder, fingerprint
from spaceland.models.types import FrameTruth


class Counting:
    """How often an encoder really ran."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        self.count, original = 0, encoder.encode

        def encode(*args, **kwargs):
            self.count += 1
            return original(*args, **kwargs)

        encoder.encode = encode


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_a_clip_is_encoded_once_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    model, clip = tiny_vggt().to(torch.bfloat16), frames()
    want = model.encode(clip, [2, 1])
    runs = Counting(model)
    cached = CachedEncoder(model, tmp_path / "cache")
    for _ in range(3):
        found = cached.encode(clip.clone(), [1, 2])
        assert list(found.tokens) == [1, 2]
        for layer in (1, 2):
            assert found.tokens[layer].dtype == torch.bfloat16
            assert torch.equal(found.tokens[layer], want.tokens[layer])
        assert torch.equal(found.camera, want.camera)
    assert runs.count == 1
    assert len(files(tmp_path / "cache")) == 1
    assert cached.spec == model.spec
    assert cached.predict(clip).depth is not None


def test_other_frames_layers_weights_types_and_settings_are_other_files(tmp_path: Path) -> None:
    clip = frames()
    changed = clip.clone()
    changed[2, 1, 40, 3] += 1e-3 if changed[2, 1, 40, 3] < 0.5 else -1e-3
    model = tiny_vggt()
    cached = CachedEncoder(model, tmp_path)
    cached.encode(clip)
    cached.encode(changed)
    cached.encode(clip.reshape(3, 3, 70, 42))
    cached.encode(clip, [1])
    cached.encode(clip, truth=FrameTruth(torch.zeros(3, 42, 70, 3), torch.zeros(3, 4, 4)))
    assert len(files(tmp_path)) == 5
    with torch.no_grad():
        model.trunk.camera_token[0, 0, 0, 0] += 1
    cached.encode(clip)
    assert len(files(tmp_path)) == 6
    CachedEncoder(tiny_vggt(reference_frame="last"), tmp_path).encode(clip)
    CachedEncoder(tiny_vggt().to(torch.bfloat16), tmp_path).encode(clip)
    CachedEncoder(Shuffled(tiny_vggt(), 1), tmp_path).encode(clip)
    CachedEncoder(Shuffled(tiny_vggt(), 2), tmp_path).encode(clip)
    assert len(files(tmp_path)) == 10
    assert fingerprint(tiny_vggt()) == fingerprint(tiny_vggt()) != fingerprint(tiny_vggt(seed=1))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    model, clip = tiny_vggt(), frames()
    runs = Counting(model)
    cached = CachedEncoder(model, tmp_path)
    want = cached.encode(clip).tokens[2]
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[-100] ^= 1
    path.write_bytes({"truncated": data[:-7], "flipped": data, "empty": b"", "foreign": b"{}" * 40}[damage])
    assert torch.equal(cached.encode(clip).tokens[2], want)
    assert runs.count == 2
    assert torch.equal(cached.encode(clip).tokens[2], want)
    assert runs.count == 2


def test_the_longest_unused_go_first_when_room_is_short(tmp_path: Path) -> None:
    model = tiny_vggt()
    clips = [frames(seed=seed) for seed in range(4)]
    cached = CachedEncoder(model, tmp_path)
    paths = []
    for age, clip in enumerate(clips[:3]):
        cached.encode(clip)
        (new,) = set(files(tmp_path)) - set(paths)
        os.utime(new, (1000 + age, 1000 + age))
        paths.append(new)
    (tmp_path / "not-ours.txt").write_text("stays")
    cached.encode(clips[0])  # used: now the youngest
    size = paths[0].stat().st_size
    CachedEncoder(model, tmp_path, max_bytes=int(2.5 * size)).encode(clips[3])
    left = set(files(tmp_path))
    assert paths[0] in left
    assert paths[1] not in left
    assert paths[2] not in left
    assert len(left) == 3
    CachedEncoder(model, tmp_path, max_bytes=1).encode(clips[1])  # the newest stays even alone
    assert len(files(tmp_path)) == 2


def test_what_cannot_be_cached(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no torch module"):
        CachedEncoder(object(), tmp_path)
    with pytest.raises(EncoderError, match="give it some room"):
        CachedEncoder(tiny_vggt(), tmp_path, max_bytes=0)


@pytest.mark.heavy
def test_every_process_gives_an_encoder_the_same_fingerprint() -> None:
    """Also one with heads, which are a set: sets are printed in an order that each process draws anew."""
    code = "from tiny_vggt import tiny_vggt; from spaceland.models.encoders.feature_cache import fingerprint; "
    code += "print(fingerprint(tiny_vggt()))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "3")
    }
    assert told == {fingerprint(tiny_vggt()) + "\n"}


def test_leftovers_of_killed_runs_go_too(tmp_path: Path) -> None:
    old, young = (tmp_path / f".{name}.features.safetensors.12ab34cd.tmp" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    CachedEncoder(tiny_vggt(), tmp_path).encode(frames(2))
    assert not old.exists() and young.exists()
