"""Reading and writing files so that nothing is half-written and every failure names the file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from spaceland.errors import OutputError, SceneError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Of the picture files that a person may hand over: photos, frames."""
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError)
"""What reading a damaged, encrypted or oddly packed ZIP archive may raise."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    A reader sees the old file or the whole new one, never a part, even when the process is killed.

    Raises:
        OutputError: the folder cannot be made, the disk is full, or permission is missing.
    """
    with _atomic_file(path) as (temporary, _):
        yield temporary


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` atomically."""
    with _atomic_file(path) as (_, handle):
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]


@contextlib.contextmanager
def _atomic_file(path: Path) -> Iterator[tuple[Path, int]]:
    """Path and open handle of an empty temporary file that will replace `path`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    handle: int | None = None
    try:
        try:
            handle = _create(temporary)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = _create(temporary)
        yield temporary, handle
        os.fsync(handle)
        os.close(handle)
        handle = None
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            if handle is not None:
                os.close(handle)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; free some space or choose another --out"
            ) from error
        raise


def _create(path: Path) -> int:
    """A handle to an empty file that was not there before and has the user's ordinary permissions."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with newlines as they are.

    Half of a surrogate pair, as models say it now and then, is no UTF-8 and is written as `\\ud800`: valid in JSON.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any, *, indent: int | None = 1) -> None:
    """Write JSON atomically; keys keep their order, NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


TOO_MANY_DIGITS = "a number with too many digits; write it between quotes, as text"
"""What Python's refusal of longer whole numbers means to the owner of a JSON file."""


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
    except ValueError as error:
        raise SceneError(f"{path}: {TOO_MANY_DIGITS}") from error


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
