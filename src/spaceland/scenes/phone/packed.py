"""Files of a folder or of a ZIP archive, read in place: nothing is unpacked to disk, so no name can lead elsewhere."""

from __future__ import annotations

import io
import zipfile
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from spaceland.errors import SceneError
from spaceland.files import ZIP_ERRORS

_MAX_BYTES = 1 << 28
"""No picture, depth image or table of a recording is as large as this (256 MB); an archive that says so is hostile."""


class Packed:
    """Named files below a path. Names use forward slashes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo] | None:
        """Members of the archive by name; None for a folder."""
        if self.path.is_dir():
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                return {info.filename: info for info in archive.infolist()}
        except ZIP_ERRORS as error:
            raise SceneError(f"{self.path} is not a readable archive ({error}); copy it again") from error

    def __contains__(self, name: str) -> bool:
        return name in self._members if self._members is not None else (self.path / name).is_file()

    def names(self, start: str, end: str) -> list[str]:
        """Names that start and end so."""
        if self._members is not None:
            return sorted(name for name in self._members if name.startswith(start) and name.endswith(end))
        return sorted(f"{start}{file.name}" for file in (self.path / start).glob(f"*{end}"))

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            SceneError: missing, damaged, or absurdly large.
        """
        try:
            if self._members is None:
                return (self.path / name).read_bytes()
            info = self._members[name]
            if info.file_size > _MAX_BYTES:
                raise SceneError(f"{self.path}: {name} claims {info.file_size} bytes; the archive is damaged")
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(info)
        except (KeyError, FileNotFoundError):
            raise SceneError(f"{self.path} lacks {name}; export the recording again") from None
        except ZIP_ERRORS as error:
            raise SceneError(f"{self.path}: {name} cannot be read ({error}); copy it again") from error

    def image(self, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """A picture as RGB.

        Raises:
            SceneError: missing, or not an image.
        """
        try:
            with Image.open(io.BytesIO(self.read(name))) as image:
                return np.array(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise SceneError(f"{self.path}: {name} is not a readable image ({error}); copy it again") from error

    def stamp(self) -> str:
        """Changes when the recording does: name, size and time of the archive or of the folder's metadata."""
        path = self.path if self._members is not None else self.path / "metadata"
        return f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}"
