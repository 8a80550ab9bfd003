"""NPZ files (zipped NumPy arrays) read safely: no pickles, and every failure names the file."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spaceland.errors import SceneError
from spaceland.files import write_bytes


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an NPZ file by name.

    Raises:
        SceneError: the file is missing, truncated, larger in memory than this machine, or holds Python objects, which
            could run code when loaded and are refused.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array, not an archive of arrays")
        with archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error) or type(error).__name__
        if "pickle" in reason.lower():
            reason = "it holds pickled Python objects, which are refused because loading them can run code"
        raise SceneError(f"{path} is not a readable NPZ file ({reason}); export it again with plain arrays") from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays atomically; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    write_bytes(path, buffer.getvalue())
