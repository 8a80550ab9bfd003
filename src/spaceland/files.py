"""Reading and writing files so that nothing is half-written and every failure names the file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from spaceland.errors import OutputError, SceneError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    A reader sees the old file or the whole new one, never a part, even when the process is killed.

    Raises:
        OutputError: the folder cannot be made, the disk is full, or permission is missing.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files private to the user; results get the ordinary permissions.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another --out"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with newlines as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, *, indent: int | None = 1) -> None:
    """Write JSON atomically; keys keep their order, NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        SceneError: the file is missing, not UTF-8 or not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except OSError as error:
        raise SceneError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise SceneError(f"{path} is not valid JSON ({error}); the file may be truncated, copy it again") from error


def read_image(path: Path) -> Shaped[np.ndarray, "h w ..."]:
    """Read an image as an array: uint8 [h, w, 3] for colour, uint16 or int32 [h, w] for 16-bit PNGs.

    Raises:
        SceneError: the file is missing, truncated or not an image.
    """
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode in ("I;16", "I;16B", "I", "L", "1", "F"):
                return np.array(image)
            return np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SceneError(
            f"{path} is not a readable image ({error}); the file may be truncated, copy it again"
        ) from error


def encode_jpeg(image: Shaped[np.ndarray, "h w 3"], quality: int = 92) -> bytes:
    """JPEG bytes of a uint8 RGB image; the same pixels give the same bytes for one Pillow version."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def encode_png(image: Shaped[np.ndarray, "h w ..."]) -> bytes:
    """PNG bytes of a uint8 RGB, uint8 grey or uint16 grey image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
