"""Pictures that belong to a row: its own, frames of its video, or frames of a folder of its scene.

Where they are looked for, in this order, always inside the media folder:

    the row's pictures      images, image, image_path, image_paths, image_1 ..: paths, bytes, or base64
    the row's video         video, video_path, Video: a path, or a name under videos/
    the row's scene         DATASET/SCENE.mp4, SCENE.mp4, SCENE/ with pictures (also in color/ or frames/)

Protocols with marks take SCENE/ with bev.png and frames/, as `spaceland mark` writes them, before anything else.

A path that leads out of the media folder counts as missing: rows come from others.
"""

from __future__ import annotations

import base64
import binascii
import io
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.released.tables import StoredPicture
from spaceland.benchmarks.types import Row
from spaceland.chat.pictures import make_picture, shrink
from spaceland.chat.types import Picture
from spaceland.errors import SceneError
from spaceland.files import PICTURE_SUFFIXES

_PICTURES = ("images", "image", "image_path", "image_paths", "img_path")
_VIDEOS = ("video", "video_path", "Video", "video_name")
_SCENES = ("scene_name", "scene_id", "scene")
_VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi")
_INSIDE = ("", "color", "frames")
_PASSED_AS_IS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}

PictureSource = Path | bytes | StoredPicture


@dataclass(frozen=True)
class Media:
    """What a row is about. `name` is the same on every machine; `marks` are those of our rows, by picture."""

    kind: Literal["pictures", "video", "folder", "marked"]
    name: str
    path: Path | None = None
    sources: tuple[PictureSource, ...] = ()
    marks: tuple[Mapping[str, Any], ...] = ()


class MediaMissingError(SceneError):
    """A row's pictures or video are not there."""


class MediaFinder:
    """Finds media in a folder; what was found is remembered, since many rows share a scene.

    With `marked` a folder with a view from above and marked frames goes before a video of the scene.
    """

    def __init__(self, folder: Path, *, marked: bool = False) -> None:
        self.folder, self._marked = folder, marked
        self._root = folder.resolve()
        self._seen: dict[str, Path | None] = {}

    def find(self, row: Row, adapted: Row) -> Media:
        """The media of a row.

        Args:
            row: As it was read.
            adapted: In released field names.

        Raises:
            MediaMissingError: nothing is there; the message says what was looked for.
        """
        sources = list(_own_pictures(row))
        marks = tuple(mark for mark in row.get("marks") or () if isinstance(mark, Mapping))
        if sources:
            found = tuple(self._inside(source) if isinstance(source, str) else source for source in sources)
            names = [source if isinstance(source, str) else "" for source in sources]
            return Media("pictures", "|".join(names), None, found, marks)
        tried = []
        if self._marked:
            for name in self._names(row, adapted):
                path = self._existing(name)
                if path is not None and path.is_dir() and bev_of(self.folder / name) is not None:
                    return Media("marked", name, self.folder / name, (), marks)
        for name in self._names(row, adapted):
            tried.append(name)
            path = self._existing(name)
            if path is not None:
                return Media("folder" if path.is_dir() else "video", name, path, (), marks)
        if not tried:
            raise MediaMissingError("names no picture, video or scene")
        shown = ", ".join(tried[:4])
        raise MediaMissingError(f"has no media in {self.folder}; looked for {shown}{' ...' if len(tried) > 4 else ''}")

    def _names(self, row: Row, adapted: Row) -> Iterator[str]:
        for table in (row, adapted):
            for key in _VIDEOS:
                if isinstance(table.get(key), str):
                    yield from (table[key], f"videos/{table[key]}")
                    if not table[key].lower().endswith(_VIDEO_SUFFIXES):
                        yield f"{table[key]}.mp4"
        for table in (adapted, row):
            scene = next((str(table[key]) for key in _SCENES if table.get(key)), None)
            if scene is None:
                continue
            dataset = [f"{table['dataset']}/"] if isinstance(table.get("dataset"), str) else []
            for start in (*dataset, "", "videos/"):
                yield from (f"{start}{scene}{suffix}" for suffix in _VIDEO_SUFFIXES[:1])
                yield f"{start}{scene}"

    def _existing(self, name: str) -> Path | None:
        if name not in self._seen:
            path = self.folder / name
            good = not Path(name).is_absolute() and path.resolve().is_relative_to(self._root) and path.exists()
            if good and path.is_dir():
                inside = [path / part for part in _INSIDE if _pictures_in(path / part)]
                self._seen[name] = inside[0] if inside else None
            else:
                self._seen[name] = path if good else None
        return self._seen[name]

    def _inside(self, name: str) -> Path:
        """A picture by its path, or bare name under images/.

        Raises:
            MediaMissingError: it is not in the folder.
        """
        for tried in (name, f"images/{name}"):
            path = self.folder / tried
            if not Path(tried).is_absolute() and path.resolve().is_relative_to(self._root) and path.is_file():
                return path
        raise MediaMissingError(f"has the picture '{name[:200]}', which is not in {self.folder}")


def _pictures_in(folder: Path) -> list[Path]:
    """Pictures of a folder in the order of their names, without views from above."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES) if folder.is_dir() else []
    return [file for file in files if file.stem != "bev" and not file.stem.startswith("bev_")]


def bev_of(folder: Path) -> Path | None:
    """The view from above in a folder of `spaceland mark`; None where there is none."""
    return next((path for suffix in PICTURE_SUFFIXES if (path := folder / f"bev{suffix}").is_file()), None)


def _own_pictures(row: Row) -> Iterator[str | bytes | StoredPicture]:
    """Pictures that a row names or holds, in order."""
    keys = [key for key in _PICTURES if row.get(key)][:1]
    if not keys:
        keys = sorted(
            (k for k in row if k.startswith("image_") and k[6:].isdigit() and row[k]), key=lambda k: int(k[6:])
        )
    for key in keys:
        value = row[key]
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Mapping):
                one = one.get("bytes") or one.get("path")
            if isinstance(one, str) and len(one) > 1000:
                try:
                    one = base64.b64decode(one, validate=True)
                except (binascii.Error, ValueError):
                    continue
            if isinstance(one, str | bytes | StoredPicture):
                yield one


def load_media(media: Media, policy: FramePolicy) -> tuple[list[Picture], list[int]]:
    """The pictures that a model is shown, and their indices among those that there are.

    Raises:
        SceneError: a picture or frame cannot be read.
    """
    if media.kind == "pictures":
        pictures = [
            _encoded(source, f"{index}", policy, tuple(m for m in media.marks if m.get("image_index") == index))
            for index, source in enumerate(media.sources)
        ]
        return pictures, list(range(len(pictures)))
    assert media.path is not None
    if media.kind == "marked":
        view = bev_of(media.path)
        files = _pictures_in(media.path / "frames") or _pictures_in(media.path)
        indices = policy.indices(len(files))
        shown = [files[index] for index in indices]
        return [_encoded(file, file.stem, policy) for file in (*((view,) if view else ()), *shown)], indices
    if media.kind == "folder":
        files = _pictures_in(media.path)
        indices = policy.indices(len(files))
        return [_encoded(files[index], files[index].stem, policy) for index in indices], indices
    from spaceland.reconstruct.capture import open_capture, pictures_at

    capture = open_capture(media.path)
    indices = policy.indices(len(capture.images))
    decoded: dict[str, Picture] = {}
    for image, pixels in pictures_at(capture, sorted(set(indices))):
        decoded[image.id] = make_picture(_shrunk(pixels, policy), image.id)
    names = [capture.images[index].id for index in indices]
    broken = [name for name in names if name not in decoded]
    if broken:
        raise SceneError(f"{media.name}: {len(broken)} frames do not decode, the first is {broken[0]}; copy it again")
    return [decoded[name] for name in names], indices


def _encoded(
    source: PictureSource, name: str, policy: FramePolicy, marks: tuple[Mapping[str, Any], ...] = ()
) -> Picture:
    """A picture as its file has it where nothing needs to be changed, else encoded anew."""
    try:
        data = (
            source.read_bytes() if isinstance(source, Path) else source if isinstance(source, bytes) else source.read()
        )
        with Image.open(io.BytesIO(data)) as image:
            size, kind = image.size, _PASSED_AS_IS.get(image.format or "")
            turned = image.getexif().get(0x0112, 1) not in (0, 1)
            fits = policy.long_side_px is None or max(size) <= policy.long_side_px
            if kind and fits and not turned and not marks:
                image.load()
                return Picture(data, kind, *size, name)
            from PIL import ImageOps

            pixels = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        where = source if isinstance(source, Path | StoredPicture) else "a picture of the row"
        raise SceneError(f"{where} is not a readable picture ({error}); copy it again") from error
    lossless = kind == "image/png"
    if marks:
        from spaceland.questions.marks import Mark, draw_marks

        try:
            pixels = draw_marks(pixels, [Mark.from_json(dict(mark)) for mark in marks])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SceneError(f"a mark of the row is broken ({error}); generate the rows again") from error
    return make_picture(_shrunk(pixels, policy), name, lossless=lossless)


def _shrunk(pixels: np.ndarray, policy: FramePolicy) -> np.ndarray:
    return pixels if policy.long_side_px is None else shrink(pixels, policy.long_side_px)


class MediaCache:
    """Loaded media of the last few videos; each is decoded once even when several threads want it."""

    def __init__(self, policy: FramePolicy, most: int = 4) -> None:
        self.policy, self._most = policy, most
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[threading.Lock, list[Any]]] = OrderedDict()

    def load(self, media: Media) -> tuple[list[Picture], list[int]]:
        """As `load_media`."""
        if media.kind == "pictures":
            return load_media(media, self.policy)
        with self._lock:
            entry = self._entries.setdefault(media.name, (threading.Lock(), []))
            self._entries.move_to_end(media.name)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        lock, loaded = entry
        with lock:
            if not loaded:
                loaded.append(load_media(media, self.policy))
            return loaded[0]
