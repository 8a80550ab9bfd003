"""Uploaded captures: streamed to disk under names of our own, and turned into a source.

Nothing of what a browser says about a file decides where it lies: the name is made here, and only a suffix out of a
fixed list is taken over. A ZIP is looked into without unpacking it by name: pictures are written as 000000.jpg,
000001.png, ... in the natural order of their names, and counted while they are read, since what an archive says about
sizes may be a lie. A Record3D recording in it is read in place by its reader.
"""

from __future__ import annotations

import re
import secrets
import shutil
import zipfile
from pathlib import Path
from typing import BinaryIO, Protocol

from spaceland.errors import OutputError, SourceError
from spaceland.files import PICTURE_SUFFIXES, ZIP_ERRORS, atomic_path
from spaceland.pipeline.inputs import VIDEO_SUFFIXES
from spaceland.pipeline.run import Bars, without_bars

SUFFIXES = (*VIDEO_SUFFIXES, ".zip", ".r3d")
UPLOAD_ID = re.compile(r"[0-9a-f]{16}")
_CHUNK = 1 << 20
_MAX_PICTURES, _MAX_PICTURE_BYTES = 20_000, 1 << 26
_KEEP_FREE = 1 << 28


class Stream(Protocol):
    """What an upload is read from."""

    def read(self, size: int, /) -> bytes: ...


class Uploads:
    """The folder of uploads; `limit` is the most bytes that one may have."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        for rest in folder.glob("*.part"):  # of a server that was killed
            rest.unlink(missing_ok=True)

    def receive(self, stream: Stream, length: int, suffix: str) -> str:
        """Write `length` bytes of a stream; returns the upload's id.

        Raises:
            OutputError: the disk is full or cannot be written.
            ConnectionError: the stream ended early; nothing is kept.
            TimeoutError: the sender fell silent; nothing is kept.
        """
        name = secrets.token_hex(8)
        part = self.folder / f"{name}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < length + _KEEP_FREE:
                raise OutputError(f"the disk has no room for {length / 1e6:.0f} MB; free some space")
            with part.open("xb") as file:
                left = length
                while left:
                    data = stream.read(min(left, _CHUNK))
                    if not data:
                        raise ConnectionError("the upload was cut off")
                    _write(file, data, self.folder)
                    left -= len(data)
            part.replace(self.folder / f"{name}{suffix}")
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise OutputError(f"cannot write uploads into {self.folder}: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
        return name

    def path(self, upload: str) -> Path | None:
        """The file of an upload, if there is one."""
        if not UPLOAD_ID.fullmatch(upload):
            return None
        return next((p for s in SUFFIXES if (p := self.folder / f"{upload}{s}").is_file()), None)

    def source(self, upload: str, work: Path, bars: Bars = without_bars) -> str:
        """The source that an upload is; pictures of an archive are written into `work`/pictures.

        Raises:
            SourceError: the file is gone, damaged, or holds nothing that can be reconstructed.
            OutputError: the folder cannot be written.
        """
        path = self.path(upload)
        if path is None:
            raise SourceError("the uploaded file is gone; drop it once more")
        if path.suffix == ".r3d":
            return f"phone:{path}"
        if path.suffix != ".zip":
            return f"video:{path}"
        try:
            with zipfile.ZipFile(path) as archive:
                return _unpack(archive, path, work, self.limit, bars)
        except ZIP_ERRORS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise OutputError(f"cannot unpack pictures: {error.strerror or error}") from error
            raise SourceError(f"the archive cannot be read ({error}); pack it again without a password") from error


def _write(file: BinaryIO, data: bytes, folder: Path) -> None:
    try:
        file.write(data)
    except OSError as error:
        raise OutputError(f"cannot write uploads into {folder}: {error.strerror or error}") from error


def _unpack(archive: zipfile.ZipFile, path: Path, work: Path, limit: int, bars: Bars) -> str:
    members = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
    names = {info.filename for info in members}
    if any(name.rpartition("/")[2] == "metadata" for name in names) and any("rgbd/" in name for name in names):
        own = path.with_suffix(".r3d")
        if not own.exists():
            own.hardlink_to(path)
        return f"phone:{own}"
    pictures = [info for info in members if _suffix(info, PICTURE_SUFFIXES)]
    videos = [info for info in members if _suffix(info, VIDEO_SUFFIXES)]
    if len(videos) == 1 and len(pictures) < 2:
        video = work / f"video{_suffix(videos[0], VIDEO_SUFFIXES)}"
        _extract(archive, videos[0], video, limit)
        return f"video:{video}"
    if len(pictures) < 2:
        raise SourceError("the archive holds no recording: pack pictures, one video, or a Record3D export")
    if len(pictures) > _MAX_PICTURES:
        raise SourceError(f"the archive holds {len(pictures)} pictures; at most {_MAX_PICTURES} are taken")
    folder = work / "pictures"
    if folder.exists():
        shutil.rmtree(folder)
    left = limit
    with bars("unpacking", len(pictures)) as advance:
        for k, info in enumerate(sorted(pictures, key=lambda info: _natural(info.filename))):
            file = folder / f"{k:06d}{_suffix(info, PICTURE_SUFFIXES)}"
            left -= _extract(archive, info, file, min(left, _MAX_PICTURE_BYTES))
            advance(1, "")
    return f"images:{folder}"


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path, most: int) -> int:
    """Write one member under a name of ours; returns its size."""
    size = 0
    with archive.open(info) as member, atomic_path(to) as temporary, temporary.open("wb") as file:
        while data := member.read(_CHUNK):
            size += len(data)
            if size > most:
                raise SourceError("the archive unpacks to more than is allowed for an upload; pack fewer pictures")
            file.write(data)
    return size


def _suffix(info: zipfile.ZipInfo, known: tuple[str, ...]) -> str:
    return next((suffix for suffix in known if info.filename.lower().endswith(suffix)), "")


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sorts img2 before img10."""
    parts = re.split(r"(\d{1,18})", name)
    return [(0, int(part)) if part.isascii() and part.isdecimal() else (1, part) for part in parts]
