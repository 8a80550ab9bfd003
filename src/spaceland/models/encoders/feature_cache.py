"""Features on disk, found again by what they were made from.

A clip's file is named by a digest of the frames' values, the encoder (its architecture, settings and every weight), the
layers and the type. Files are written whole or not at all, the longest unused are removed when they take too much room,
and a damaged one is made again. A layer of VGGT-1B takes about 4 MB per frame in bfloat16.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from spaceland.errors import EncoderError
from spaceland.files import atomic_path
from spaceland.models.encoders.frames import check_layers
from spaceland.models.types import EncoderSpec, FrameTruth, GeometryEncoder, GeometryFeatures, GeometryPrediction

SUFFIX = ".features.safetensors"
DEFAULT_BYTES = 50 * 10**9
_CAMERA, _CHECK = "camera", "crc32"
_STALE_S = 3600


class CachedEncoder(nn.Module):
    """An encoder whose features are kept on disk; the same clip is encoded once.

    Args:
        inner: An encoder that is an `nn.Module`, so that its weights can be told apart.
        folder: Where files go; made if need be. Several processes may share it.
        max_bytes: What all files in it may take together.
    """

    def __init__(self, inner: GeometryEncoder, folder: Path, max_bytes: int = DEFAULT_BYTES) -> None:
        super().__init__()
        if not isinstance(inner, nn.Module):
            raise EncoderError(f"features of {type(inner).__name__} cannot be cached: it is no torch module")
        if max_bytes <= 0:
            raise EncoderError(f"the feature cache may take {max_bytes} bytes; give it some room, or leave it out")
        self.inner = inner
        self.folder, self.max_bytes = folder, max_bytes
        self._fingerprint: tuple[object, str] | None = None

    @property
    def spec(self) -> EncoderSpec:
        """That of the encoder."""
        return self.inner.spec

    def encode(
        self,
        frames: Float[Tensor, "s 3 h w"],
        layers: Sequence[int] | None = None,
        *,
        truth: FrameTruth | None = None,
    ) -> GeometryFeatures:
        """See `GeometryEncoder.encode`."""
        wanted = check_layers(self.spec, layers)
        path = self.folder / f"{self._digest(frames, wanted, truth)}{SUFFIX}"
        like = next((p for p in self.inner.parameters()), frames)
        found = _read(path, like.device)
        if found is None:
            found = self.inner.encode(frames, wanted, truth=truth)
            _write(path, found)
            _prune(self.folder, self.max_bytes, keep=path)
        return found

    def predict(self, frames: Float[Tensor, "s 3 h w"]) -> GeometryPrediction:
        """That of the encoder, made anew."""
        return self.inner.predict(frames)

    def _digest(self, frames: Tensor, layers: tuple[int, ...], truth: FrameTruth | None) -> str:
        # Moving or converting replaces or changes the parameters; their versions tell when to look again.
        state = tuple((p.data_ptr(), p.dtype, p._version) for p in self.inner.parameters())
        if self._fingerprint is None or self._fingerprint[0] != state:
            self._fingerprint = (state, fingerprint(self.inner))
        digest = hashlib.sha256()
        head = [self._fingerprint[1], list(frames.shape), str(frames.dtype), list(layers)]
        digest.update(json.dumps(head).encode())
        digest.update(_bytes(frames))
        if truth is not None:
            digest.update(_bytes(truth.points))
            digest.update(_bytes(truth.T_world_cam))
        return digest.hexdigest()[:40]


def fingerprint(module: nn.Module) -> str:
    """Digest of a network: how it is built (its printed form), what it says of itself, and every weight."""
    spec = getattr(module, "spec", None)
    # Heads are a set: sorted, since the order in which a set is printed differs from process to process.
    said = None if spec is None else json.dumps(asdict(spec), default=sorted)
    digest = hashlib.sha256(f"{module!r}\n{said}".encode())
    for name, value in module.state_dict().items():
        digest.update(f"{name} {list(value.shape)} {value.dtype}".encode())
        digest.update(_bytes(value))
    return digest.hexdigest()


def _read(path: Path, device: torch.device) -> GeometryFeatures | None:
    """Features of a file; None where there is none, or a damaged one."""
    try:
        with safe_open(path, framework="pt", device=str(device)) as handle:
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
            check = (handle.metadata() or {}).get(_CHECK)
        # The format says nothing of damage inside a tensor.
        if check != _checksum(tensors):
            return None
        camera = tensors.pop(_CAMERA, None)
        tokens = {int(key): value for key, value in tensors.items()}
        os.utime(path)  # counted as used just now
        return GeometryFeatures(dict(sorted(tokens.items())), camera)
    except (SafetensorError, OSError, ValueError):
        return None


def _write(path: Path, features: GeometryFeatures) -> None:
    tensors = {str(layer): x.detach().cpu().contiguous().clone() for layer, x in features.tokens.items()}
    if features.camera is not None:
        tensors[_CAMERA] = features.camera.detach().cpu().contiguous().clone()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_CHECK: _checksum(tensors)})


def _prune(folder: Path, max_bytes: int, keep: Path) -> None:
    """Remove the longest unused files beyond the limit; one that another process removed first is no matter."""
    files = []
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            files.append((path != keep, -stat.st_mtime_ns, stat.st_size, path))
    total = 0
    for _, _, size, path in sorted(files):  # the new file first, then from the last used on
        total += size
        if total > max_bytes and path != keep:
            path.unlink(missing_ok=True)
    for path in folder.glob(f".*{SUFFIX}.*.tmp"):  # of a killed run; one that is being written is younger
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()


def _checksum(tensors: dict[str, Tensor]) -> str:
    value = 0
    for key in sorted(tensors):
        value = zlib.crc32(_bytes(tensors[key]), zlib.crc32(key.encode(), value))
    return f"{value:08x}"


def _bytes(value: Tensor) -> memoryview | bytes:
    flat = value.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""
